"""Any program in the live path, its code unchanged: what `interlock run` starts.

`environment.py` says which variables lead the SDKs to the gateway, `identity.py` gives the program a key for as
long as it runs, `program.py` starts it and passes on signals and its exit code; `isolate.py` and `inside.py` cut
every other way out.
"""
