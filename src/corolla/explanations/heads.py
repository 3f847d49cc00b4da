"""The attention of the last block, head by head: what DINO's images show (arXiv 2104.14294, figure 1).

It is the plainest of the maps, A of eq. 6 as it stands: one layer's view of tokens that have been mixed by all layers
before it.
"""

from torch import Tensor


def head_attention(attention: Tensor, shares: Tensor) -> Tensor:
    """The weights that the tokens the head reads give to all tokens, for each head (B, h, S).

    From A of one block (B, h, S, S) and the `shares` (S,) of `tokens.read_shares`: the class token's row, or the mean
    of the patches' rows where there is no class token.
    """
    return shares @ attention
