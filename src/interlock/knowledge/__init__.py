"""The facts as data files (service fingerprints, packages, symbols, credentials, frameworks) and their loader.

Each fact keeps its `ref`: where it was seen. The files are part of the package as code is: they are read
once, when first asked for, through `importlib.resources`; this is the only reading that a pure room does.
"""

from interlock.knowledge.addresses import bare_url as bare_url
from interlock.knowledge.addresses import host_of as host_of
from interlock.knowledge.facts import ClientProtocol as ClientProtocol
from interlock.knowledge.facts import ClientVariable as ClientVariable
from interlock.knowledge.facts import Credential as Credential
from interlock.knowledge.facts import Family as Family
from interlock.knowledge.facts import Framework as Framework
from interlock.knowledge.facts import Item as Item
from interlock.knowledge.facts import Package as Package
from interlock.knowledge.facts import Pattern as Pattern
from interlock.knowledge.facts import Service as Service
from interlock.knowledge.facts import Symbol as Symbol
from interlock.knowledge.facts import Symbols as Symbols
from interlock.knowledge.facts import client_protocols as client_protocols
from interlock.knowledge.facts import credentials as credentials
from interlock.knowledge.facts import families as families
from interlock.knowledge.facts import frameworks as frameworks
from interlock.knowledge.facts import packages as packages
from interlock.knowledge.facts import secrets as secrets
from interlock.knowledge.facts import services as services
from interlock.knowledge.facts import symbols as symbols
from interlock.knowledge.launchers import Launch as Launch
from interlock.knowledge.launchers import launched as launched
from interlock.knowledge.matching import SECRET_NAME as SECRET_NAME
from interlock.knowledge.matching import Hit as Hit
from interlock.knowledge.matching import credential_service as credential_service
from interlock.knowledge.matching import find_credentials as find_credentials
from interlock.knowledge.matching import is_filler as is_filler
from interlock.knowledge.matching import is_unknown_secret as is_unknown_secret
from interlock.knowledge.matching import model_credential as model_credential
from interlock.knowledge.matching import model_provider as model_provider
from interlock.knowledge.matching import redact as redact
from interlock.knowledge.matching import service_at as service_at
from interlock.knowledge.requests import RequestWords as RequestWords
from interlock.knowledge.requests import request_words as request_words
from interlock.knowledge.tools import ToolModel as ToolModel
from interlock.knowledge.tools import ToolWords as ToolWords
from interlock.knowledge.tools import tool_model as tool_model
from interlock.knowledge.tools import tool_translations as tool_translations
from interlock.knowledge.tools import tool_words as tool_words
