"""Cedar: the schema, the bundled policies, and the decision: facts -> Allow or Deny(reason).

`questions.py` holds the closed list of what can be asked; `statements.py` reads and validates, `policies.py` compiles
and decides; `arguments.py` types what policies read of a call. The Cedar files in this folder are data: the shell reads
them and hands them over as text.
"""

from interlock.policy.policies import Mode as Mode
from interlock.policy.policies import Policies as Policies
from interlock.policy.policies import Scope as Scope
from interlock.policy.questions import CallModel as CallModel
from interlock.policy.questions import CallTool as CallTool
from interlock.policy.questions import Obtain as Obtain
from interlock.policy.questions import PassMedia as PassMedia
from interlock.policy.questions import PassOpaque as PassOpaque
from interlock.policy.questions import Question as Question
from interlock.policy.questions import ReadText as ReadText
from interlock.policy.questions import ReleaseText as ReleaseText
from interlock.policy.questions import call_of as call_of
from interlock.policy.statements import Force as Force
from interlock.policy.statements import Policy as Policy
from interlock.policy.statements import Source as Source
