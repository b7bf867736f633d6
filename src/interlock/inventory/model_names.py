"""The one name of a model, however it was written: `provider:model`, `provider/model`, ARN, inference profile, tag."""

import re

# What routers, SDKs and frameworks put before a model's name to say who serves it (LiteLLM, LangChain,
# PydanticAI, Bedrock and Vertex documentation). An organisation on a model hub (`meta-llama/`) is no such thing.
SERVING = frozenset({
    "ai21", "amazon", "anthropic", "anyscale", "azure", "azure_ai", "azure_openai", "bedrock", "bedrock_converse",
    "cerebras", "cohere", "cohere_chat", "converse", "databricks", "deepinfra", "deepseek", "fireworks", "fireworks_ai",
    "gateway", "gemini", "github", "google", "google-gla", "google-vertex", "google_genai", "google_vertexai", "groq",
    "huggingface", "litellm", "litellm_proxy", "lm_studio", "meta", "mistral", "mistralai", "models", "moonshot",
    "nvidia_nim", "ollama", "ollama_chat", "openai", "openai-chat", "openai-responses", "openrouter", "perplexity",
    "replicate", "responses", "sagemaker", "text-completion-openai", "together", "together_ai", "vertex_ai",
    "vertex_ai_beta", "voyage", "watsonx", "x-ai", "xai", "zai",
})  # fmt: skip
# Cross-region inference profiles of Bedrock.
REGIONS = frozenset({"us", "eu", "apac", "au", "ca", "jp", "sa", "us-gov", "global"})
BEDROCK_VENDORS = frozenset({
    "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax", "mistral", "moonshot",
    "nvidia", "openai", "qwen", "stability", "twelvelabs", "writer", "zai",
})  # fmt: skip
ARN = re.compile(r"arn:aws[a-z-]*:(?:bedrock|sagemaker):[^:]*:[^:]*:(?P<type>[a-z-]+)/(?P<name>.+)")
VERTEX_PATH = re.compile(r"(?:projects/[^/]+/locations/[^/]+/)?publishers/[^/]+/models/(?P<name>.+)")


def canonical(name: str) -> str:
    """The model's name without who serves it, where, and a tag that says nothing.

    >>> canonical("openai:gpt-4o"), canonical("openrouter/anthropic/claude-3.5-sonnet")
    ('gpt-4o', 'claude-3.5-sonnet')
    >>> canonical("us.anthropic.claude-3-5-sonnet-20241022-v2:0"), canonical("claude-3-5-sonnet@20241022")
    ('claude-3-5-sonnet-20241022', 'claude-3-5-sonnet-20241022')
    >>> canonical("meta-llama/Llama-3.1-8B"), canonical("ollama/llama3:latest"), canonical("llama3:8b")
    ('meta-llama/Llama-3.1-8B', 'llama3', 'llama3:8b')
    """
    name = name.strip()
    for pattern in (ARN, VERTEX_PATH):
        if match := pattern.fullmatch(name):
            name = match["name"]
    name = _unserved(name)
    name = _bedrock(name)
    name = name.removesuffix(":latest")
    return re.sub(r"^(claude-.+)@(\d{8}|default|latest)$", r"\1-\2", name).removesuffix("-default")


def _unserved(name: str) -> str:
    while match := re.match(r"([A-Za-z0-9_.-]+)[:/](?=.)", name):
        if match[1].lower() not in SERVING:
            break
        name = name[match.end() :]
    return name


def _bedrock(name: str) -> str:
    first, dot, rest = name.partition(".")
    if dot and first in REGIONS and rest.partition(".")[0] in BEDROCK_VENDORS:
        first, dot, rest = rest.partition(".")
    if not dot or first not in BEDROCK_VENDORS:
        return name
    # Bedrock numbers Anthropic's dated models again; of other vendors `-v2` is another model than `-v1`.
    again = r"(?:-v\d+)?" if first == "anthropic" else ""
    return re.sub(rf"{again}(?::\d+)?(?::\d+k)?$", "", rest)
