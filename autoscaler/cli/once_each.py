"""An option that takes one value and is typed twice is a slip: the first would be dropped without a word."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand


class OnceEach(TyperCommand):
    """A command that refuses a second value of what takes one. A flag may be repeated: it only says the same."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:  # as a shell completes what is not typed to the end
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            given = Counter(param.name for param in order if _takes_one(param))
            for name, times in given.items():
                if times > 1:
                    option = next(max(param.opts, key=len) for param in order if param.name == name)
                    ctx.fail(f"{option} was given {times} times and takes one value: name the one that is meant")
        return super().parse_args(ctx, args)


def _takes_one(param: Any) -> bool:
    return param.param_type_name == "option" and not (param.multiple or param.is_flag or param.count)
