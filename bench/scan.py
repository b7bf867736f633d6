"""How many Python files `interlock scan` reads in a second on one core: `python bench/scan.py [FOLDER]`.

Scans an installed site-packages (this environment's own, unless a folder is named), which is real code of
many styles; the folder is copied to a temporary one, since a scan passes over `site-packages` by name.
Prints files and megabytes a second of CPU, with the machine and the versions.
"""

import argparse
import cProfile
import platform
import pstats
import resource
import shutil
import sys
import sysconfig
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from interlock.scan import scan

AT = "2026-01-01T00:00:00Z"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(sysconfig.get_paths()["purelib"]))
    parser.add_argument("--runs", type=int, default=3, help="the best of so many (default: 3)")
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "code"
        shutil.copytree(args.folder, root, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        files = [path for path in root.rglob("*.py") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        scan([root], at=AT)  # warms the page cache and loads the knowledge
        if args.profile:
            with cProfile.Profile() as profile:
                scan([root], at=AT)
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
            return 0
        best = min(_cpu_s(root) for _ in range(args.runs))
        result = scan([root], at=AT)
    print(f"{len(files):,} Python files, {size / 1e6:.1f} MB, {len(result.assets)} assets")
    print(f"{len(files) / best:,.0f} Python files/s of CPU, {size / 1e6 / best:.1f} MB/s (target: 1,000 files/s)")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{best:.2f} s of CPU for a scan, best of {args.runs}; peak memory {peak_mb:.0f} MB")
    print(f"Python {platform.python_version()}, google-re2 {version('google-re2')}, {platform.machine()}, {_cpu()}")
    return 0


def _cpu_s(root: Path) -> float:
    started = time.process_time()
    scan([root], at=AT)
    return time.process_time() - started


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


if __name__ == "__main__":
    sys.exit(main())
