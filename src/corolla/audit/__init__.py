"""Checks labeled images for problems before training.

`audit.audit` runs all checks: `images` checks each file, `copies` finds (near-)duplicates,
`folds` and `labels` find labels that a network's frozen features contradict. The result is a `findings.Findings`;
`page` shows it, `decisions` turns it into a table for training. The user's data is not changed.
"""
