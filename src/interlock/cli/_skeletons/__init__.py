"""One working entry of each room, for `interlock new` to copy under another name. No catalogue holds these."""
