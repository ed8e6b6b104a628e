"""Draws causal multi-head self-attention from its parts, beside a GRU, and compares it with torch's own."""

import torch
import torch.nn.functional as F  # noqa: N812 - the name every torch program uses

import rnnstudio

HEADS, UNITS = 4, 32
design = rnnstudio.new("looks back")

text = design.add("TokenInput", "text", size=65)
embedding = design.add("Embedding", "embedding", units=UNITS, input=text)
memory = design.add("GRU", "memory", units=UNITS, x=embedding)

# Each step t looks along the same sequence, whose steps have a second name there: scores [time, time2].
again = design.add("RenameAxis", "again", input=memory)
query = design.add("Linear", "query", units=UNITS, input=memory)
key = design.add("Linear", "key", units=UNITS, input=again)
value = design.add("Linear", "value", units=UNITS, input=again)
match = design.add("Match", "match", score="scaled_dot", heads=HEADS, causal=True, inputs={"query": query, "keys": key})
weights = design.add("Softmax", "weights", axis="time2", input=match)
read = design.add("WeightedSum", "read", causal=True, inputs={"weights": weights, "values": value})
both = design.add("Residual", "both", inputs={"input": memory, "branch": read})
design.add("Output", "scores", input=design.add("Linear", "readout", units=65, input=both))
for name, node in {"q": query, "k": key, "v": value, "found": read}.items():
    design.add("Output", name, input=node)

network = rnnstudio.build(design)
result = network({"text": torch.randint(65, (8, 50))}).outputs
q, k, v = (result[name].unflatten(-1, (HEADS, -1)).transpose(1, 2) for name in "qkv")
torchs = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2)
difference = float((result["found"] - torchs).detach().abs().max())
print("largest difference from torch's own:", difference)
