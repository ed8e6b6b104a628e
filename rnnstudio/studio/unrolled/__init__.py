"""The drawing unrolled over its steps: what stands there (`steps`), where it stands (`places`), and its picture."""
