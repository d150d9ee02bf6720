"""The demo, as `make demo` runs it: its own checks are the assertions, these are its key lines."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_demo_keeps_its_promises() -> None:
    commands = Path(sys.executable).parent
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("LLMKUBE_", "GIT_"))}
    done = subprocess.run(
        [str(ROOT / "docs" / "demo" / "demo.sh")],
        env=clean | {"PATH": f"{commands}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    lines = done.stdout.splitlines()
    assert "8 files, 7 models, 7 services to serve: valid, 0 errors, 0 warnings" in lines
    assert any("args[--tensor-split]: + 1,1" in line for line in lines)
    assert any(line.endswith(": nothing to do") for line in lines)
    assert "models/llama-13b/llm.yaml" in done.stderr
    assert any(line.startswith("# LLM services of demo") for line in lines)
    assert lines[-1].startswith("# The demo kept its promises.")
    assert "Traceback" not in done.stderr
