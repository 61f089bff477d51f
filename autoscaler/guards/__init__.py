"""Guards: one small class a file, one method, array functions over lanes, one reason each.

They meet only in `chain`; what holds for all of them (absorbing holds, paused lanes, observed need) is
enforced by `domain.proposals`.
"""
