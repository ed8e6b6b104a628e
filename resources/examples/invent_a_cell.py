"""Invents a recurrent cell in Python, builds a network with it, and runs a batch. Needs nothing but rnnstudio."""

import torch

import rnnstudio

design = rnnstudio.new("invented")

# The cell: f = σ(W x + U h + b),  h′ = tanh(V x + R (f ⊙ h) + c),  h_t = h + f ⊙ (h′ − h)
units = rnnstudio.Var("units")
cell = design.define("OneGate", formula="h_t = h + f ⊙ (h′ − h)", units=64)
x = cell.add("CellInput", "x")
h_before = cell.add("Delay", "h_before")
forget = cell.add("Sigmoid", "forget", input=cell.add("Linear", "gate", units=units, terms=2, input=x, input2=h_before))
gated = cell.add("Multiply", "gated", a=forget, b=h_before)
new = cell.add("Tanh", "new", input=cell.add("Linear", "candidate", units=units, terms=2, input=x, input2=gated))
step = cell.add("Multiply", "step", a=forget, b=cell.add("Subtract", "change", a=new, b=h_before))
h = cell.add("Add", "state", a=h_before, b=step)
cell.connect(h, "h_before")
cell.add("CellOutput", "h", input=h)

# A character model around it.
text = design.add("TokenInput", "text", size=65)
embedding = design.add("Embedding", "embedding", units=32, input=text)
memory = design.add("OneGate", "memory", units=128, x=embedding)
design.add("Output", "scores", input=design.add("Linear", "readout", units=65, input=memory))

network = rnnstudio.build(design)  # a torch.nn.Module
result = network({"text": torch.randint(65, (8, 100))})
print({name: list(value.shape) for name, value in result.outputs.items()})
