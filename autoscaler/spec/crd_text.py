"""What an API server can check of each kind of text that users write, keyed by the function that checks it in a file.

An expression is CEL over `self`, one text. Patterns are RE2. No text has a `format`: under one the API server takes a
list for a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, get_args

from autoscaler.spec import endpoints, policy_conditions, policy_shared, scalars, selector, when

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_WORD = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_PRINTABLE = r"( |[^\p{C}\p{Z}])*"
_NUMBER = r"[0-9]{1,9}(\.[0-9]{1,9})?"
_PORT = r"([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_HOST = r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][-A-Za-z0-9._]{0,252})"
_SECRET = f"(?i)({endpoints.SECRET_TEXT.pattern})"
_SECONDS = (
    "self.findAll('[0-9.]+(w|d|h|ms|m|s)').map(p, double(p.find('[0-9.]+')) * (p.endsWith('w') ? 604800.0 : "
    "p.endsWith('d') ? 86400.0 : p.endsWith('h') ? 3600.0 : p.endsWith('ms') ? 0.001 : p.endsWith('m') ? 60.0 : 1.0))"
    ".sum()"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule in CEL over `self`, the field it stands at. at: the field below it that the refusal names.

    reads: the fields below that it looks at, where there are others: an object that is stored and wrong may be edited
    elsewhere. A server spares by itself only what is unchanged as a whole.
    """

    expression: str
    message: str
    at: str = ""
    reads: tuple[str, ...] = ()

    @property
    def ratcheting(self) -> str:
        """The expression; with `reads` also true while none of these has changed."""
        if not self.reads:
            return self.expression
        same = " && ".join(map(_unchanged, self.reads))
        return f"({self.expression}) || (oldSelf.hasValue() && {same})"


def there(path: str, of: str = "self") -> str:
    """Whether a field below is there. An optional value would have no bound for the server's estimate of costs."""
    names = path.split(".")
    return " && ".join(f"has({of}.{'.'.join(names[: count + 1])})" for count in range(len(names)))


def _unchanged(path: str) -> str:
    was = there(path, "oldSelf.value()")
    return f"({there(path)} ? {was} && self.{path} == oldSelf.value().{path} : !({was}))"


@dataclass(frozen=True, slots=True)
class Grammar:
    """Of one kind of text. longest: in characters. choices: all there are, in place of rules.

    pattern: in place of rules where there may be so many texts that CEL would cost too much.
    """

    rules: tuple[Rule, ...] = ()
    longest: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class Loose:
    """A number or a text: no type of a schema, and so out of reach of CEL. pattern, above: of the text, the number."""

    pattern: str
    longest: int
    above: float


def matching(pattern: str, message: str) -> Rule:
    """The whole text fits."""
    return Rule(f"self.matches(r'^({pattern})$')", message)


def _validator(annotated: Any) -> Callable[..., Any]:
    """The function that checks an annotated text."""
    found: Callable[..., Any] = next(m.func for m in get_args(annotated)[1:] if hasattr(m, "func"))
    return found


_NAME = "not a valid Kubernetes name: lower-case letters, digits and -{}, a letter or digit at both ends"
_MOMENT = Rule(
    "!format.datetime().validate(self).hasValue()",
    'not an RFC 3339 time with a zone: write it in quotes, "2026-03-01T06:00:00Z"',
)
_LEAP = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29"
_DAY = (
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
)
_DURATION = matching(
    "".join(f"({_NUMBER}{unit})?" for unit in ("w", "d", "h", "m", "s", "ms")),
    'not a duration: write a number and w, d, h, m, s or ms, largest first: "3m", "90s", "1h30m"',
)
_SOME_DIGIT = Rule("self.matches('[0-9]')", 'not a duration: write a number and a unit, such as "3m"')
_A_DAY = Rule(f"{_SECONDS} <= 86400.0", "longer than 24 hours: check the unit, m is minutes and s is seconds")
_LONGER = Rule("self.matches('[1-9]')", 'must be longer than zero, for example "3m"')
_WHOLE = Rule(f"{_SECONDS} == double(int({_SECONDS}))", 'must be whole seconds, for example "1m"')
_TIMEOUT = Rule(
    f"{_SECONDS} <= {endpoints.MAX_TIMEOUT_S}", "longer than 2m: one query must fit into a tick; use a recording rule"
)
_NO_URL = Rule("!self.contains('://')", 'must be a path of a local file, for example "/etc/foresail/prod/token"')
_LINE = matching(_PRINTABLE, "must be one line of printable characters")
_SHARE = "[0-9]{1,9}(\\.[0-9]{1,12})?%"
_PERCENT = "double(self.replace('%', ''))"
_NOT_SECRET = Rule(
    f"!self.matches(r'{_SECRET}')", "this is a secret itself: put it into a file, and name the path of that file"
)
_URL = matching(
    f'(?i:https?)://{_HOST}(:{_PORT})?(/[!-"$->A-~]*)?',
    'not an http or https URL with a host, without credentials, query and fragment: "http://prometheus.monitoring:9090"',
)

GRAMMARS: dict[Callable[..., Any], Grammar] = {
    scalars.check_subdomain: Grammar((matching(_SUBDOMAIN, _NAME.format(" and . between")),), 253),
    _validator(scalars.Label): Grammar((matching(_LABEL, _NAME.format("")),), 63),
    _validator(scalars.ApiVersion): Grammar(
        (matching(rf"({_SUBDOMAIN}/)?v[0-9]+((alpha|beta)[0-9]+)?", 'not an API version such as "apps/v1"'),), 300
    ),
    _validator(scalars.KindName): Grammar(
        (matching("[A-Z][A-Za-z0-9]{0,62}", "not a kind: it starts with a capital letter, such as Deployment"),), 63
    ),
    _validator(scalars.OneLine): Grammar((_LINE,), 256),
    _validator(scalars.Query): Grammar(
        (
            Rule(
                "!self.endsWith(']')",
                "ends in a range, which is many numbers at each moment and not one: wrap it, as in "
                "sum(rate(http_requests_total[1m]))",
            ),
        ),
        8192,
    ),
    _validator(scalars.FilePath): Grammar(
        (
            Rule(
                r"self.matches(r'(?i)\.(csv|csv\.gz|parquet|pq)$')",
                "neither a CSV nor a Parquet file: a recording ends in .csv, .csv.gz, .parquet or .pq",
            ),
            _NO_URL,
            _LINE,
        ),
        4096,
    ),
    _validator(scalars.Duration): Grammar((_DURATION, _SOME_DIGIT, _A_DAY), 128),
    _validator(scalars.PositiveDuration): Grammar((_DURATION, _LONGER, _A_DAY), 128),
    _validator(scalars.WholeSeconds): Grammar((_DURATION, _LONGER, _WHOLE, _A_DAY), 128),
    _validator(endpoints.Timeout): Grammar((_DURATION, _LONGER, _TIMEOUT), 128),
    _validator(scalars.Risk): Grammar(
        (
            matching(f"{_SHARE}?", 'not a share of time: write a percentage such as "0.5%", or a fraction "0.005"'),
            Rule(
                f"!self.matches(r'^({_SHARE}?)$') || ({_PERCENT} > 0.0 && "
                f"{_PERCENT} <= (self.endsWith('%') ? 20.0 : 0.2))",
                'must be above 0 and up to 20 % of the time, for example "0.5%"',
            ),
        ),
        24,
    ),
    _validator(scalars.Headroom): Grammar(
        (
            matching(_SHARE, 'not a percentage: write "20%" for a fifth more capacity than planned'),
            Rule(f"!self.matches(r'^({_SHARE})$') || {_PERCENT} <= 300.0", 'above 300 %: "20%" plans 1.2 times'),
        ),
        24,
    ),
    _validator(policy_shared.Share): Grammar(
        (
            matching(r"([0-9]{1,2}(\.[0-9]{1,6})?|0[0-9]{2}(\.[0-9]{1,6})?|100(\.0{1,6})?)%",
                     'not a share of the workloads: write a percentage from "0%" to "100%"'),
        ),
        12,
    ),
    _validator(scalars.Instant): Grammar((_MOMENT,), 40),
    _validator(when.Day): Grammar(longest=10, pattern=f"^({_DAY}|{_LEAP})$"),
    _validator(when.Weekday): Grammar(choices=when.DAYS),
    _validator(when.Clock): Grammar(
        (matching("([01][0-9]|2[0-3]):[0-5][0-9]|24:00", 'not a time of the day such as "08:30", at most "24:00"'),), 5
    ),
    _validator(when.Zone): Grammar(
        (
            matching("UTC|[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)+", 'not an IANA time zone: "Europe/Berlin", or "UTC"'),
        ),
        64,
    ),
    _validator(endpoints.Url): Grammar(
        (
            _URL,
            Rule(r"!self.matches('/api/v1(/.*)?$')", "names the API inside the server: write what stands before /api"),
        ),
        2048,
    ),
    _validator(endpoints.ProxyUrl): Grammar(
        (
            matching(f"(?i:https?)://{_HOST}(:{_PORT})?/*",
                     'takes a scheme, a host and a port, for example "http://proxy.example.com:3128"'),
        ),
        2048,
    ),
    _validator(endpoints.SecretFile): Grammar((_NO_URL, _LINE, _NOT_SECRET), 4096),
    _validator(endpoints.SecretKey): Grammar(
        (matching("[-._a-zA-Z0-9]{1,253}", 'not a key of a Secret, for example "token"'),), 253
    ),
    _validator(endpoints.NamespacePattern): Grammar(
        (matching("[a-z0-9*]([-a-z0-9*]{0,61}[a-z0-9*])?",
                  'not the name of a namespace, nor one with * in it, for example "team-a-*"'),),
        63,
    ),
    _validator(endpoints.LabelName): Grammar(
        (matching("[a-zA-Z_][a-zA-Z0-9_]{0,127}", 'not the name of a label, for example "prometheus_replica"'),), 128
    ),
    _validator(selector.WorkloadName): Grammar(
        (matching(rf"({_SUBDOMAIN}/)?{_SUBDOMAIN}", "not a NAME or NAMESPACE/NAME"),), 507
    ),
    _validator(selector.LabelKey): Grammar(
        (matching(rf"({_SUBDOMAIN}/)?{_LABEL_WORD}", 'not a label key, such as "team" or "example.com/team"'),), 317
    ),
    _validator(policy_conditions.Expression): Grammar(),
}  # fmt: skip
"""For each function that checks a text in a file, what a server checks."""

QUANTITY = Loose(
    r"^\+?([0-9]*[1-9][0-9]*(\.[0-9]*)?|[0-9]+\.[0-9]*[1-9][0-9]*|\.[0-9]*[1-9][0-9]*)"
    r"([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?$",
    40,
    0.0,
)
LOOSE: dict[Callable[..., Any], Loose] = {_validator(scalars.Quantity): QUANTITY}

NAME = {"pattern": f"^{_SUBDOMAIN}$", "maxLength": 253}
"""Of an object itself: of its metadata a definition may bound no more than this, and with a pattern only."""

LABEL_VALUE = Grammar((matching(f"({_LABEL_WORD})?", "not a label value"),), 63)
HEADER_VALUE = Grammar(
    (
        matching(r"[!-~]([ -~]*[!-~])?", "not the value of an HTTP header: one line of printable ASCII"),
        Rule(
            f"!self.matches(r'{_SECRET}')",
            "looks like a credential, which belongs into a Secret: bearerTokenSecret or basicAuth",
        ),
    ),
    1024,
)
PARAM_VALUE = Grammar((_LINE, HEADER_VALUE.rules[1]), 1024)
_CREDENTIAL = Rule(
    f"!self.exists(k, k.matches(r'(?i)({endpoints.SECRET_WORD.pattern})'))",
    "a name here looks like a credential, which no document may hold: use bearerTokenSecret or basicAuth",
)


def _not_ours(names: Iterable[str], what: str) -> Rule:
    ours = ", ".join(f"'{name}'" for name in sorted(names))
    return Rule(f"!self.exists(k, k.lowerAscii() in [{ours}])", f"a {what} that we set ourselves: remove it")


KEYS: dict[Callable[..., Any], tuple[Rule, ...]] = {
    scalars.check_label_values: (
        Rule(rf"self.all(k, k.matches(r'^({_SUBDOMAIN}/)?{_LABEL_WORD}$'))",
             'not a label key, such as "team" or "example.com/team"'),
    ),
    endpoints.check_headers: (
        Rule(r"self.all(k, k.matches(r'^[A-Za-z0-9!#$%&\x27*+.^_`|~-]{1,128}$'))",
             "not the name of an HTTP header, such as X-Scope-OrgID"),
        _CREDENTIAL,
        _not_ours(endpoints.OUR_HEADERS, "header"),
        Rule("!self.exists(k, self.exists(l, l != k && l.lowerAscii() == k.lowerAscii()))",
             "a header stands twice: case does not make another"),
    ),
    endpoints.check_params: (
        Rule(r"self.all(k, k.matches(r'^[A-Za-z_][A-Za-z0-9_.\[\]-]{0,63}$'))",
             'not the name of a parameter, such as "dedup"'),
        _CREDENTIAL,
        _not_ours(endpoints.OUR_PARAMS, "parameter"),
    ),
}  # fmt: skip
"""For each function that checks a mapping of texts, what a server checks of its names."""

VALUES: dict[Callable[..., Any], Grammar] = {
    scalars.check_label_values: LABEL_VALUE,
    endpoints.check_headers: HEADER_VALUE,
    endpoints.check_params: PARAM_VALUE,
}
"""For each function that checks a mapping of texts, what a server checks of its values."""
