"""What can be wrong with a policy: the text, and how the sentence about it begins; after ` ... ` what else it says.

The texts of all but `WHOLE` follow `HEAD`.
"""

from __future__ import annotations

HEAD = "version: 1\nname: x\n"

WHOLE = [
    ("", "1:1: the policy is empty ... write at least `version: 1`"),
    ("# a\n# b\n", "1:1: the policy is empty"),
    ("---\n", "1:1: the policy is empty"),
    ("- a\n", "1:1: must be a mapping of version, name ... not a list"),
    ("hello\n", "1:1: must be a mapping of version, name ... not 'hello'"),
    ("{}", "1:1: version: this key is missing: write `version: 1`"),
    ("\n\nversion: 1\n", "3:1: name: this key is missing: write `name: my-policy`"),
    ("version: 2\nname: x\n", "1:10: version: this release reads version 1 ... not 2"),
    ("version: 0\nname: x\n", "1:10: version: this release reads version 1 ... not 0"),
    ("version: '1'\nname: x\n", "1:10: version: must be a whole number ... remove the quotes"),
    ("version: true\nname: x\n", "1:10: version: must be a whole number, not true"),
    ("[" * 10_000, "1:42: nested deeper than 40 levels"),
    ("{a: " * 10_000, "1:165: nested deeper than 40 levels"),
    ("- " * 10_000, "1:83: nested deeper than 40 levels"),
    ("? " * 10_000, "1:83: nested deeper than 40 levels"),
    ("version: 1\r\nname: \ufeffx", "2:7: character U+FEFF"),
    ("%YAML 2.0\n---\n" + HEAD, "1:1: not valid YAML ... incompatible"),
]
"""The document as a whole."""

STRUCTURE = [
    ("---\nname: y\n", "3:1: a second document starts here"),
    ("name: y\n", "3:1: name: this key stands twice ... the first is at line 2, column 1"),
    ("errors: {529: {do: next}, '529': {do: raise}}", "3:27: errors.529: this key stands twice"),
    ("retry: {trys: 2}", "3:9: retry.trys: unknown key; did you mean `tries`? ... between_passes"),
    ("zzz: 2", "3:1: zzz: unknown key; allowed here are version, name ... errors"),
    ("fallback: strict", "3:1: fallback: unknown key; allowed here are version, name"),
    ("breaker: {ramp: {over: 60s, start: 10%}}", "3:29: breaker.ramp.start: unknown key"),
    ("deadline: 5s", "3:1: deadline: unknown key; `retry.deadline` would be a place"),
    ("? [a, b]\n: 1\n", "3:3: a list cannot be a key"),
    ("{}: 1\n", "3:1: a mapping cannot be a key"),
    ("*a : 1\n", "3:1: an alias cannot be a key"),
    ("1: x\n", "3:1: 1: unknown key"),
    ("true: x\n", "3:1: true cannot be a key: write text ... quotes"),
    ("~: x\n", "3:1: null cannot be a key"),
    ("1.5: x\n", "3:1: 1.5 cannot be a key"),
    ('"a b\\n": x\n', '3:1: ["a b\\n"]: unknown key'),
    ("breaker:\n  trip:\n    failure_rate:\n", "5:5: breaker.trip.failure_rate: there is no value"),
    ("ladders:\n  -\n", "4:4: ladders[0]: there is no value"),
    ("retry: &a {tries: 2}\n", "3:8: retry: `&a` is an anchor ... write the value out"),
    ("&a retry: {tries: 2}\n", "3:1: `&a` is an anchor"),
    ("retry: *a\n", "3:8: retry: `*a` is an alias ... write the value out"),
    ("ladders: [{match: *-opus, rungs: []}]", "3:19: ladders[0].match: `*-opus` is an alias ... quotes"),
    ("ladders:\n- match: *\n", "4:11: not valid YAML ... text that begins with `*` needs quotes"),
    ("<<: {description: y}\n", "3:1: `<<` merges another mapping ... write the keys out"),
    ("<<: *a\n", "3:1: `<<` merges another mapping"),
    ("retry: !!python/object:os.system {}\n", "3:8: retry: 'tag:yaml.org,2002:python/object:os.s... is a tag"),
    ("description: !foo x\n", "3:14: description: '!foo' is a tag"),
    ("description: !!str 5\n", "3:14: description: 'tag:yaml.org,2002:str' is a tag"),
    ("!foo description: x\n", "3:1: '!foo' is a tag"),
    ("[]: " + "[" * 10_000, "3:45: nested deeper than 40 levels"),
    ("".join(f"k{n}: 1\n" for n in range(150)), "102:1: k99: unknown key"),
]
"""Keys, values and what YAML has beyond them."""

CHARACTERS = [
    ("retry:\n\ttries: 2\n", "4:1: a tab cannot indent YAML: use spaces"),
    ("description: y\n\tretry: {}\n", "4:1: a tab cannot indent YAML"),
    ("retry:\n  tries: 2\n \tpasses: 2\n", "5:2: a tab cannot indent YAML"),
    ("x: \0", "3:4: character U+0000 is invisible"),
    ("# \x07", "3:3: character U+0007 is invisible"),
    ("# \x7f", "3:3: character U+007F"),
    ("# a\x85b", "3:4: character U+0085"),
    ("# a\u2028b", "3:4: character U+2028"),
    ("# \u202e", "3:3: character U+202E"),
    ("# \ud800", "3:3: character U+D800"),
    ('description: "a\\x07b"\n', "3:14: description:  ... invisible character"),
    ('"\\x07": 1\n', "3:1:  ... invisible character"),
    ('description: "\\q"\n', "3:1 ... backslash"),
    ("description: a: b\n", "3:15: not valid YAML ... second `: ` on one line"),
    ("retry:\n    tries: 2\n  passes: 2\n", "5:3: not valid YAML ... indentation"),
    ("retry: {tries: 2\nerrors: {}\n", "4:7: not valid YAML ... closing bracket"),
    ("description: 'abc\n", "4:1: not valid YAML ... a quote is not closed"),
    ("retry\nerrors: {}\n", "4:1: not valid YAML ... a key needs `: ` after it; what is read here began at line 3"),
    ("description: @x\n", "3:14: not valid YAML ... needs quotes"),
    ("description: 'a' b\n", "3:18: not valid YAML ... closing quote"),
]
"""Characters, and what is no YAML."""

NAMES = [
    ("version: 1\nname: ''\n", "2:7: name: must not be empty"),
    ("version: 1\nname: 5\n", "2:7: name: must be text, not 5: put it in quotes"),
    ("version: 1\nname: ' a'\n", "2:7: name: must be one line"),
    ("version: 1\nname: " + "a" * 201, "2:7: name: must have at most 200 characters"),
]
"""Names of a policy."""

VALUES = [
    ("retry: {deadline: .nan}", "3:19: retry.deadline: .nan is not a number"),
    ("retry: {tries: .inf}", "3:16: retry.tries: .inf is not a number"),
    ("retry: {tries: -.inf}", "3:16: retry.tries: -.inf is not a number"),
    (
        "breaker: {trip: {consecutive_failures: .nan, failure_rate: off}}",
        "3:40: breaker.trip.consecutive_failures: .nan is not a number",
    ),
    ("retry: {deadline: 1e999}", "3:19: retry.deadline: '1e999' is a number of more digits"),
    ("retry: {tries: " + "9" * 10_000 + "}", "3:16: retry.tries: '9999 ... more digits"),
    ("retry: {tries: 1000000}", "3:16: retry.tries: must be at most 20, not 1000000"),
    ("retry: {tries: 0}", "3:16: retry.tries: must be at least 1, not 0"),
    ("retry: {tries: -1}", "3:16: retry.tries: must be at least 1, not -1"),
    ("retry: {tries: 1.5}", "3:16: retry.tries: must be a whole number, not 1.5"),
    ("retry: {tries: true}", "3:16: retry.tries: must be a whole number, not true"),
    ("retry: {tries: '2'}", "3:16: retry.tries: must be a whole number, not '2': remove the quotes"),
    ("retry: {budget: {min_per_second: true}}", "3:34: retry.budget.min_per_second: must be a number, not true"),
    ("retry: {wait: {first: 1s, max: 2s, factor: true}}", "3:44: retry.wait.factor: must be a number"),
    ("breaker: {open_for: {factor: 0.5}}", "3:30: breaker.open_for.factor: must be at least 1, not 0.5"),
    ("retry: {deadline: true}", "3:19: retry.deadline: true is not a duration ... 500ms"),
    ("retry: {deadline: 0s}", "3:19: retry.deadline: must be more than 0, or `off`, not '0s'"),
    ("retry: {deadline: -5s}", "3:19: retry.deadline: must be more than 0 ... not '-5s'"),
    ("retry: {deadline: 1:30}", "3:19: retry.deadline: '1:30' is not a duration"),
    ("retry: {deadline: 366d}", "3:19: retry.deadline: '366d' is too long ... 365d"),
    ("retry: {budget: {ratio: 0}}", "3:25: retry.budget.ratio: must be more than 0, not 0"),
    ("retry: {budget: {ratio: 20}}", "3:25: retry.budget.ratio: 20 is not a share: write 20%"),
    ("retry: {budget: {ratio: true}}", "3:25: retry.budget.ratio: true is not a share"),
    (
        "breaker: {trip: {consecutive_failures: 0}}",
        "3:40: breaker.trip.consecutive_failures: must be at least 1, or `off`, not 0",
    ),
    (
        "retry: {wait: {first: 1s, max: 2s, jitter: ful}}",
        "3:44: retry.wait.jitter: must be full, equal or none, not 'ful'; did you mean `full`?",
    ),
    ("retry: {wait: {first: 1s}}", "3:15: retry.wait.max: this key is missing: write `max: 10s`"),
    (
        "breaker: {trip: {slow_rate: of}}",
        "3:29: breaker.trip.slow_rate: must be a mapping of over ... or `off`, not 'of'",
    ),
    ("breaker: {ramp: {over: 60s, from: ten}}", "3:35: breaker.ramp.from: 'ten' is not a share"),
    ("retry: null", "3:8: retry: must be a mapping of tries ... not null"),
    ("ladders: {}", "3:10: ladders: must be a list, not a mapping"),
    ("ladders: [a]", "3:11: ladders[0]: must be a mapping of match and rungs, not 'a'"),
    ("ladders: [{match: a, rungs: b}]", "3:29: ladders[0].rungs: must be a list, not 'b'"),
    ("ladders: [{match: a, rungs: [b, '']}]", "3:33: ladders[0].rungs[1]: must not be empty"),
    (
        "ladders: [{match: a, rungs: [5]}]",
        "3:30: ladders[0].rungs[0]: a rung is a model's name or {model: ..., client: ..., set: {...}}, not 5",
    ),
    (
        "errors: {overload_error: {do: next}}",
        "3:10: errors.overload_error: no error is called ... did you mean `overloaded_error`?",
    ),
    ("errors: {200: {do: next}}", "3:10: errors.200: '200' is not the HTTP status of an error ... 400 to 599"),
    ("errors: []", "3:9: errors: must be a mapping, not a list"),
    ("errors: {529: next}", "3:15: errors.529: must be a mapping of do and counts"),
    *[
        (f"fit: {value}", f"3:6: fit{says}")
        for value, says in [
            ("strikt", ": must be strict, adapt or off, not 'strikt'; did you mean `strict`?"),
            ("true", ": must be"),
            ("5", ": must be"),
            ("[strict]", ": must be"),
        ]
    ],
    ("fit: {mode: of}", "3:13: fit.mode: must be strict, adapt or off, not 'of'; did you mean `off`?"),
    ("fit: {count_tokens: 1}", "3:21: fit.count_tokens: must be true or false, not 1"),
    ("fit: {count_tokens: true, mod: strict}", "3:27: fit.mod: unknown key; did you mean `mode`?"),
    *[
        (f"cost_at_most: {value}", f"3:15: cost_at_most: {says}")
        for value, says in [
            ("3 times", "'3 times' is no multiple: write 3x, or a number from 1"),
            ("x3", "'x3' is no multiple"),
            ("300%", "'300%' is no multiple"),
            ("true", "true is no multiple"),
            ("[3x]", " ... is no multiple"),
            ("0.5x", "must be at least 1, or `off`, not '0.5x'"),
            ("0", "must be at least 1, or `off`, not 0"),
            ("-2", "must be at least 1, or `off`, not -2"),
            ("1000000x", "must be at most 10000, or `off`, not '1000000x'"),
        ]
    ],
    ("bulkheads: []", "3:12: bulkheads: must be a mapping, not a list"),
    ("bulkheads: {large: {}}", "3:20: bulkheads.large.at_once: this key is missing: write `at_once: 2`"),
    ("bulkheads: {large: 2}", "3:20: bulkheads.large: must be a mapping of over, at_once and queue, not 2"),
    ("bulkheads: {large: {at_once: 0}}", "3:30: bulkheads.large.at_once: must be at least 1, not 0"),
    ("bulkheads: {large: {at_once: off}}", "3:30: bulkheads.large.at_once: must be a whole number, not 'off'"),
    ("bulkheads: {large: {at_once: 2, over: 50kb}}", "3:39: bulkheads.large.over: '50kb' is not a count of tokens"),
    ("bulkheads: {large: {at_once: 2, over: 0}}", "3:39: bulkheads.large.over: must be at least 1, or `off`, not 0"),
    ("bulkheads: {large: {at_once: 2, queue: long}}", "3:40: bulkheads.large.queue: 'long' is not a duration"),
    ("bulkheads: {large: {at_once: 2, queue: -1s}}", "3:40: bulkheads.large.queue: must be at least 0, not '-1s'"),
    ("bulkheads: {large: {at_once: 2, ques: 1s}}", "3:33: bulkheads.large.ques: unknown key; did you mean `queue`?"),
    ("bulkheads: {'': {at_once: 2}}", "3:13: bulkheads ... must not be empty"),
    ("bulkheads: {' a': {at_once: 2}}", "3:13: bulkheads ... must be one line"),
    ("bulkheads: {'rung b': {at_once: 2}}", "3:13: bulkheads ... 'rung b' is no name: write letters, digits"),
    ("bulkheads: {'a, b': {at_once: 2}}", "3:13: bulkheads ... 'a, b' is no name: write letters, digits"),
    (
        "bulkheads: {" + ", ".join(f"b{n}: {{at_once: 1}}" for n in range(21)) + "}",
        "3:12: bulkheads: must have at most 20 entries, not 21",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, at_once: 0}]}]",
        "3:50: ladders[0].rungs[0].at_once: must be at least 1, or `off`, not 0",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, at_once: 2, queue: soon}]}]",
        "3:60: ladders[0].rungs[0].queue: 'soon' is not a duration",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, client: 5}]}]",
        "3:49: ladders[0].rungs[0].client: must be text, not 5: put it in quotes",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, client: eu/west}]}]",
        "3:49: ladders[0].rungs[0].client: 'eu/west' is no name: write letters, digits ... `backup-key`",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, client: ''}]}]",
        "3:49: ladders[0].rungs[0].client: must not be empty",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, client: -x}]}]",
        "3:49: ladders[0].rungs[0].client: '-x' is no name",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, cliient: x}]}]",
        "3:41: ladders[0].rungs[0].cliient: unknown key; did you mean `client`?",
    ),
    ("ladders: [" + "{match: a, rungs: []}," * 101 + "]", "3:10: ladders: must have at most 100 entries, not 101"),
]
"""Single values."""

ACROSS = [
    ("retry: {reserve: 2m}", "3:18: retry.reserve: `reserve` (2m) leaves nothing of `deadline` (2m)"),
    ("retry: {wait: {first: 5s, max: 2500ms}}", "3:23: retry.wait.first: `first` (5s) is longer than `max` (2500ms)"),
    ("breaker: {probe: {timeout: 2m}}", "3:28: breaker.probe.timeout: `timeout` (2m) is longer than `lease` (1m)"),
    ("breaker: {trip: {consecutive_failures: off, failure_rate: off}}", "3:17: breaker.trip: every rule is off"),
    (
        "breaker: {trip: {failure_rate: {over: 50%, of_at_least: 1000000, within: 1s}}}",
        "3:57: breaker.trip.failure_rate.of_at_least: 1000000 calls within 1s never happen",
    ),
    (
        "retry: {deadline: 2m}\nbreaker: {trip: {hung_calls: {more_than: 5, older_than: 2m}}}",
        "4:57: breaker.trip.hung_calls.older_than: no call is ever 2m old ... `retry.deadline` is 2m",
    ),
    (
        "retry: {long_answers: cut}\nbreaker: {trip: {slow_rate: {over: 80%, slower_than: 3m, of_at_least: 5, within: 5m}}}",
        "4:54: breaker.trip.slow_rate.slower_than: no call is ever 3m old",
    ),
    (
        "ladders: [{match: 'a*', rungs: []}, {match: ab, rungs: []}]",
        "3:45: ladders[1].match: ladder `ab` is never reached: `a*` stands before it",
    ),
    (
        "fit: {mode: off, count_tokens: true}",
        "3:6: fit: with `mode: off` nothing is fitted, so nothing is counted: remove `count_tokens`",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, queue: 5s}]}]",
        "3:48: ladders[0].rungs[0].queue: without `at_once` nobody waits, so `queue` says nothing: set `at_once`",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, at_once: off, queue: 5s}]}]",
        "3:62: ladders[0].rungs[0].queue: without `at_once` nobody waits",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, client: c}, {model: b, client: c, at_once: 2}]}]",
        "3:53: ladders[0].rungs[1]: rung `b` stands twice",
    ),
    (
        "ladders: [{match: a, rungs: [b, {model: b, shrink: off}]}]",
        "3:33: ladders[0].rungs[1]: rung `b` stands twice",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, at_once: 2}]}, {match: c, rungs: [d, {model: b, at_once: 3}]}]",
        "3:78: ladders[1].rungs[1]: says another `at_once` or `queue` for b than ladders[0].rungs[0]: both share one limit",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, at_once: 2}, {model: b, set: {speed: null}, at_once: 2, queue: 5s}]}]",
        "3:54: ladders[0].rungs[1]: says another `at_once` or `queue` for b than ladders[0].rungs[0]",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, set: {thread: null}}]}]",
        "3:55: ladders[0].rungs[0].set.thread: `set` cannot change `thread`: it belongs to the call",
    ),
    (
        "shrink: {when: [prompt_too_long], after_tries: 2, steps: [drop_turns]}",
        "3:9: shrink: a call ends with the first `prompt_too_long`, so with `after_tries: 2` this can never fire: write 1",
    ),
    (
        "shrink: {when: [prompt_too_long, 413, 422], after_tries: 3, steps: [drop_turns]}",
        "3:9: shrink: a call ends with the first `prompt_too_long`, `413` and `422`, so with `after_tries: 3`",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, shrink: {when: [413], after_tries: 2, steps: [drop_turns]}}]}]",
        "3:49: ladders[0].rungs[0].shrink: a call ends with the first `413`",
    ),
    (
        "shrink: {when: [timeout_error], steps: [drop_turns]}\nerrors: {timeout_error: {do: raise}}",
        "4:30: errors.timeout_error.do: `timeout_error` ends the call, and `shrink` names it for a smaller prompt: remove it here or there",
    ),
    (
        "errors: {529: {do: raise}}\nshrink: {when: [timeout_error, 529], steps: [drop_turns]}",
        "3:20: errors.529.do: `529` ends the call, and `shrink` names it",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, shrink: {when: [504], steps: [drop_turns]}}]}]\nerrors: {504: {do: raise}}",
        "4:20: errors.504.do: `504` ends the call, and `shrink` names it",
    ),
    ("ladders: [{match: a, rungs: [b, c, b]}]", "3:36: ladders[0].rungs[2]: rung `b` stands twice"),
    ("ladders: [{match: 'a[bc]', rungs: []}]", "3:19: ladders[0].match: 'a[bc]' has a bracket ... `*`"),
    ("ladders: [{match: 'a*b*c*d*e*f*', rungs: []}]", "3:19: ladders[0].match:  ... more than 5 `*`"),
    (
        "ladders: [{match: a, rungs: [{model: b, set: {}}]}]",
        "3:46: ladders[0].rungs[0].set: an empty `set` changes nothing",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, set: {model: c}}]}]",
        "3:54: ladders[0].rungs[0].set.model: `set` cannot change `model`",
    ),
    (
        "ladders: [{match: a, rungs: [{model: b, set: {max_tokens: null}}]}]",
        "3:59: ladders[0].rungs[0].set.max_tokens:  ... the API needs it",
    ),
    ("ladders: [{match: a, rungs: [{model: b, set: {1: 2}}]}]", "3:47: ladders[0].rungs[0].set.1: '1' is no field"),
    ("errors: {529: {}}", "3:15: errors.529: an empty rule changes nothing"),
    (
        "errors: {invalid_request_error: {do: repeat}}",
        "3:38: errors.invalid_request_error.do: `invalid_request_error` means that the request is wrong, and the same request would meet that again: write `next` or `raise`",
    ),
    (
        "errors: {400: {counts: open}}",
        "3:24: errors.400.counts: `400` means that the request is wrong, which says nothing about the model: write `neutral`",
    ),
    (
        "errors: {401: {do: repeat}}",
        "3:20: errors.401.do: `401` means that the account is refused, and the same request would meet that again",
    ),
    (
        "errors: {spend_limit: {counts: failure}}",
        "3:32: errors.spend_limit.counts: `spend_limit` means that the account is refused, which says nothing about the model",
    ),
    (
        "errors: {404: {counts: failure}}",
        "3:24: errors.404.counts: `404` means that what was asked for is not there, which counting does not change: write `open` or `neutral`",
    ),
]
"""Values that are right alone and wrong together."""
