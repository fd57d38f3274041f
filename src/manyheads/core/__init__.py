"""The mathematics of the Transformer: no input or output, no strings that choose behaviour.

Read in this order: `spec` (what a Transformer is made of), `layout` (how a batch lies in memory),
`transformer` → `block` → `attention` → `attend` (the forward pass, top down), then the rest.

Names of tensors end in their shape, by this legend:

    T  tokens of the whole batch      D  width of the hidden states   V  vocabulary
    B  sequences                      H  heads (G: of keys/values)    K  size of one head
    F  width of the feed-forward      C  classes or outputs           L  longest sequence
"""
