"""What a tool does to the world, and where an argument of a call came from.

`labels.py` derives a tool's labels from its definition; `values.py` finds where a conversation held a value;
`calls.py` puts both together for one call.
"""

from interlock.provenance.calls import Judged as Judged
from interlock.provenance.calls import judge as judge
from interlock.provenance.labels import ToolLabels as ToolLabels
from interlock.provenance.labels import derive as derive
from interlock.provenance.values import Conversation as Conversation
