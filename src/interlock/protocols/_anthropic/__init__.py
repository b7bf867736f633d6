"""Messages of Anthropic as documents, whatever carries them: read, and edited.

Source: the Anthropic API reference, and the types of `anthropic` 2.13, beta ones too. Anthropic's own API carries them
as JSON and server-sent events, Amazon Bedrock as JSON and AWS event streams.
"""
