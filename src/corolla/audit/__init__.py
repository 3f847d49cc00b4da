"""What may be wrong with labeled images, looked for before anything is trained on them.

`audit.audit` looks at everything one by one: `images` at each file, `copies` at files that are the same photograph,
`folds` and `labels` at labels that a network's frozen features contradict. What they find is a `findings.Findings`;
`page` shows it, `decisions` turns it into a table to train with. Nothing of the user's is changed.
"""
