"""The model card, from the metrics: what was learned from what, how well each source is told, and what is not caught."""

from pathlib import Path
from typing import Any

CARD = Path(__file__).parent / "MODEL_CARD.md"
HEAD = """# Model card: hashed n-grams for injected orders

Written by `python -m training.injections.train`. Two logistic regressions over hashed n-grams of characters and words, 2^20 weights of
eight bits each: `user` for what users write, `document` for tool results, retrieved documents and tools' descriptions. A text is
as suspicious as its most suspicious window of 256 characters.

**For:** a signal beside the provenance gate. **Not for:** a gate of its own. Shipped off (maturity incubating).

**Learned from:** the sets of `SETS.tsv` marked `train` (licences MIT, Apache-2.0, CC-BY-4.0, CC-BY-2.0-FR, CC0, and, of in-the-wild
jailbreaks, in part none stated), tools of MIT and Apache-2.0 servers, and `training/authored` (written here). Requests for harm are
learned as honest: harm is not injection. Validation sets were never learned from.

**Not caught:** orders that are worded like honest requests (an order to pay, to translate, to book), since no text tells whose wish it
is; attacks in languages or styles that no family has; poisoned tool descriptions that read like usage notes; pictures; orders that
are spread over several texts. Whoever can try often enough will find a wording that passes.
"""


def write(metrics: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write the card."""
    parts = [HEAD]
    for name, model in metrics["models"].items():
        if left := model.get("left_out"):
            parts.append(f"\n## {name}: each attack family as seen by a model that never saw it\n\n")
            parts.append("Threshold: 1% of the honest texts of the other sources, each source counting the same.\n\n")
            parts.append(
                "| family | attacks | recall | AUC | flagged of its own honest texts |\n|---|---|---|---|---|\n"
            )
            for family, row in sorted(left.items(), key=lambda item: item[1]["recall"]):
                own = "" if row["false_positives"] is None else f"{row['false_positives']:.1%}"
                parts.append(f"| {family} | {row['attacks']} | {row['recall']:.1%} | {row['auc']:.3f} | {own} |\n")
            mean = sum(row["recall"] for row in left.values()) / len(left)
            parts.append(f"\nMean recall: {mean:.1%}.\n")
        for group, row in model["groups"].items():
            parts.append(f"\n## {name}, {group}: the shipped weights, honest texts held out\n\n")
            parts.append(
                f"Threshold {settings[name]['thresholds'][group]}.\n\n| source | texts | flagged |\n|---|---|---|\n"
            )
            parts += [f"| {s} | {r['texts']} | {r['share']:.1%} |\n" for s, r in row["false_positives"].items()]
    CARD.write_text("".join(parts), "utf-8")
