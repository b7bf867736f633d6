"""Keys of every format that `credential-leak` knows, made here so that no file holds one whole."""

from interlock.detectors import detectors
from interlock.knowledge import credentials

DETECTOR = detectors()["credential-leak"]
# The knowledge's own example of a format is one if the detector's expression says so.
# A scheme before it, or a path behind it, is no part of the secret.
EXAMPLES = {
    c.id: c.example.removeprefix("https://").removesuffix("/app")
    for c in credentials()
    if c.regex in DETECTOR.marks and c.id != "private_key"
}
PEM = "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBg\n" * 8 + "-----END PRIVATE KEY-----"
