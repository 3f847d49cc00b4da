"""The attention of the last block, head by head, as in DINO's images (arXiv 2104.14294, figure 1).

It is the simplest map, A of eq. 6 itself: one layer's attention to tokens that all earlier layers have mixed.
"""

from torch import Tensor


def head_attention(attention: Tensor, shares: Tensor) -> Tensor:
    """The attention of the classification head's input tokens to all tokens, per attention head (B, h, S).

    From A of one block (B, h, S, S) and the `shares` (S,) of `tokens.read_shares`: the class token's row, or the mean
    of the patches' rows if there is no class token.
    """
    return shares @ attention
