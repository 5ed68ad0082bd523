"""On Windows one clear line says what to do instead; nothing is half imported."""

import subprocess
import sys
from pathlib import Path


def test_windows_is_refused_in_words_with_a_way_out(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[2])
    code = f"import sys; sys.path.insert(0, {root!r}); sys.platform = 'win32'; import cpa_core.cli"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: Windows is not supported") and "WSL 2" in last
