"""The data plane: HTTP/1.1 server and client on asyncio.Protocol. It performs what guard asks and nothing else."""
