"""The facts as data files (service fingerprints, packages, symbols, credentials, frameworks) and their loader.

Each fact keeps its `ref`: where it was seen. The files are part of the package as code is: they are read
once, when first asked for, through `importlib.resources`; this is the only reading that a pure room does.
"""

from interlock.knowledge.facts import Credential as Credential
from interlock.knowledge.facts import Framework as Framework
from interlock.knowledge.facts import Item as Item
from interlock.knowledge.facts import Package as Package
from interlock.knowledge.facts import Service as Service
from interlock.knowledge.facts import Symbol as Symbol
from interlock.knowledge.facts import Symbols as Symbols
from interlock.knowledge.facts import credentials as credentials
from interlock.knowledge.facts import frameworks as frameworks
from interlock.knowledge.facts import packages as packages
from interlock.knowledge.facts import services as services
from interlock.knowledge.facts import symbols as symbols
