"""Loops that run as one autograd function, in plain torch or as generated machine code, invented cells among them.

In the order in which a loop goes through them:
expressions, canonical   a scan as products and a pointwise graph, however it was drawn
plain_form               which operations of a step are neither, and run in stages of their own
stages, backward, plan   what one step does forward and backward; what is kept between the two
buffers, hoisted         the tensors of one run; products over all steps at once, embedding tables
together, table_rows     weights laid side by side in memory; rows of a table taken and added up
distinct                 the tokens that occur, numbered
drawn                    the random numbers of all steps, in the order in which the reference draws them
function, serve          the autograd function, and how a network's values get in and out of it
plain, adjoints          those stages in plain torch, step by step, and their way back
torch_loop               the time loops in plain torch, on any device
through_time             ‖∂L/∂h_t‖ of all states from what the way back leaves behind
ir, vector_math, packing, products, codegen, in_place, jit, team, machine_loop    the time loops as LLVM IR, on the CPU
multiply, blocks, vector_products    products over all steps at once: by torch, or on the CPU in blocks for its caches
tile_parts, tile_kernels, tiles, tile_machine    products on a processor's matrix unit
tile_ahead, tile_space    what is multiplied next is laid out beside; the memory for it
tile_chunks, tile_products    products over all steps at once there, long ones in chunks of the depth
jobs, row_jobs, job_products    machine code that is put off, then run in one call after all of Python; products so
repeated                 calls that are alike: listened to once, then done without their Python
glance, pick             attention, and tokens that the loop chooses, recognised among plain operations
glance_code, pick_code, plain_code, glance_run, pick_run, plain_machine    these in the generated loops; their tensors
triton_source, triton_loop, cuda_graphs    the same on a GPU: a kernel for each stage, recorded with the products
cuda_choice, full_precision    what serves on a GPU; loops within mixed precision
tree_bilinear, tree_weights    bilinear maps as products, and the matrices they multiply by
tree_form, tree_leaves   a loop over trees as products and pointwise graphs of nodes and of edges; what leaves do
tree_backward, tree_plan    what a node does forward and backward, stage by stage
tree_inputs, tree_in_place    what a loop adds to pre-activations itself; gradients that take their place
tree_rows, tree_buffers, tree_hoisted    where nodes and children lie; the tensors of one run; products over all nodes
tree_function, tree_serve    the autograd function of a loop over trees, and how values get in and out
tree_matrices            rows that are matrices, times vectors, as LLVM IR
tree_torch, tree_codegen, tree_machine    its levels in plain torch, and as LLVM IR on the CPU
contest, loops           which lowering a loop runs on, and why
"""
