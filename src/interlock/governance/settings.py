"""What an operator declares of a workload: who answers for it and what it may do."""

from dataclasses import dataclass

from interlock.model.settings import setting


@dataclass(frozen=True, slots=True)
class Manifest:
    """`[workloads.<id>]`: a workload's owner and explicit scope. A list that is not given is not limited."""

    owner: str = setting("", "Who answers for it: a team or a person.")
    path: str = setting("", "Its folder in the scanned tree, if its name is not the workload's id.")
    models: tuple[str, ...] | None = setting(None, "Models it may call, as the client names them.")
    tools: tuple[str, ...] | None = setting(None, "Tools it may call.")
    extras: tuple[str, ...] | None = setting(
        None,
        "What it may have beside answers: logprobs, embeddings. Not given: embeddings only.",
        choices=("logprobs", "embeddings"),
    )
    unsafe_tools: tuple[str, ...] = setting((), "Tools whose arguments may come from anywhere, untrusted text too.")
    caps: tuple[str, ...] | None = setting(
        None, 'Its own caps, such as ["delete 2", "money sum 500"]; not given: [policy] caps. Empty: none.'
    )
    redact: tuple[str, ...] | None = setting(
        None,
        "What its models may not see, by detector or detector:rule, such as personal-data or personal-data:iban. "
        "Not given: [policy] redact.",
    )
    answer_mode: str = setting(
        "",
        "How its answers are held back: block, window or observe; empty takes [policy] answer_mode.",
        choices=("block", "window", "observe"),
    )
