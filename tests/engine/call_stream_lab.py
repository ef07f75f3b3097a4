"""A lab for calls whose answers are streamed: what begins, and how it ends."""

from __future__ import annotations

from call_lab import CallLab

from failover.engine import Begun, Measure, Ping, Queue, Send, Wait, judge_stream, success

ENDS = {"cut": "connection_error", "stall": "client_timeout_error", "truncated": "stream_truncated"}
ALWAYS = 100


def ended(end, model, rules=None):
    """How a stream that had begun came to an end: a word of `StreamEnd`, or the type of an `error` event."""
    error = b""
    if end not in {"complete", "closed", *ENDS}:
        end, error = "error", b'{"type":"error","error":{"type":"%s","message":"no"}}' % end.encode()
    return judge_stream(end, 200, {"request-id": f"req_{model}"}, error, model=model, rules=rules or {})


def begun(model):
    return success(200, {"request-id": f"req_{model}"})


class StreamLab(CallLab):
    """Tells the story of a streamed call.

    Answers are those of `CallLab`, which come before any content, and `~cut`, `~overloaded_error`, ...: an answer that
    begins, is read for some seconds (`~cut@30`), and then ends like this. In the line of a story a `~` is an answer
    that began.
    """

    def tell(self, answers, *, resume=None, why=None, **options):
        call = self.begin(**options)
        waiting = {model: words.split() for model, words in answers.items()}
        self.sends, story, model = [], [], ""
        words = ""
        for _ in range(ALWAYS):
            action = call.next()
            if isinstance(action, (Wait, Queue, Measure, Ping)):
                story.append(self.pause(action))
            elif isinstance(action, Send):
                model = action.candidate.rung.model
                self.sends.append(action)
                story.append(model)
                left = waiting[model]
                words = left.pop(0) if len(left) > 1 else left[0]
                if words.startswith("~"):
                    call.begin(begun(model))
                else:
                    self.answer(action, words)
            elif isinstance(action, Begun):
                story[-1] += "~"
                end, _, seconds = words[1:].partition("@")
                self.pass_time(float(seconds or 0))
                call.report(ended(end, model, self.policy.errors), resume=resume, why=why)
            else:
                self.finish = action
                return " ".join([*story, f"{action.outcome}:{action.attempt}"])
        raise AssertionError(f"the call never ends: {' '.join(story)}")


def names(lab):
    return [type(event) for event in lab.events]
