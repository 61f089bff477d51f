"""The browser of the tests: found, or taken out of Debian's packages by any user, with the libraries it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

from hack.parts import browser
from hack.parts.making import CannotMake

TOOL = Path(__file__).parents[3] / "hack" / "parts"
APT = """#!/bin/sh
echo "$@" >> {calls}
case "$*" in
  *update*) exit {update} ;;
  *-s*install*)
    echo "Inst chromium-headless-shell (156.0.1 Debian [amd64])"
    echo "Inst libogg0 [1.2] (1.3.5-3 Debian [amd64])" ;;
  *download*) echo shell > chromium-headless-shell.deb; echo lib > libogg0.deb ;;
esac
"""
DPKG = """#!/bin/sh
mkdir -p "$3/usr/lib/chromium" "$3/usr/lib/x86_64-linux-gnu"
case "$2" in *libogg0*) touch "$3/usr/lib/x86_64-linux-gnu/libogg.so.0" ;; *)
printf '#!/bin/sh\\nfor each in $(echo $LD_LIBRARY_PATH | tr : " "); do [ -e "$each/libogg.so.0" ] && lib=1; done\\n' \
  > "$3/usr/lib/chromium/chromium-headless-shell"
printf '[ "$lib" ] && echo "Chromium {version} built" || exit 127\\n' >> "$3/usr/lib/chromium/chromium-headless-shell"
chmod 755 "$3/usr/lib/chromium/chromium-headless-shell" ;; esac
"""


class Debian:
    """A PATH with apt and dpkg of ours before the system's own shell."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.calls, self.cache = folder, folder / "calls", folder / "cache"
        (folder / "path").mkdir()
        self.env = {"PATH": f"{folder / 'path'}:/usr/bin:/bin", "HOME": str(folder), "FORESAIL_CACHE": str(self.cache)}
        self.put()

    def put(self, *, version: str = "156.0.8078.108", update: int = 0) -> None:
        self.script("apt-get", APT.format(calls=self.calls, update=update))
        self.script("apt-cache", "#!/bin/sh\n")
        self.script("dpkg", DPKG.format(version=version))

    def script(self, name: str, text: str) -> None:
        path = self.folder / "path" / name
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, TOOL, *words], env=self.env, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def debian(tmp_path, monkeypatch) -> Debian:
    monkeypatch.setattr(browser, "ON_PATH", ("a-browser-that-nobody-has",))
    return Debian(tmp_path)


def test_the_package_and_what_it_lacks_are_unpacked_once_and_run_from_the_cache(debian):
    program = browser.ensure(debian.cache, debian.env)
    assert program.parent.parent.name.startswith("chromium-debian-156.0.8078-")
    said = subprocess.run([program, "--version"], env=debian.env, capture_output=True, text=True, check=True).stdout
    assert said == "Chromium 156.0.8078.108 built\n"
    calls = debian.calls.read_text().splitlines()
    assert [line.split()[-1] for line in calls] == ["update", "chromium-headless-shell", "libogg0=1.3.5-3"]
    assert all("Dir::State::Lists=" in line for line in calls)  # the system's own lists stay as they are
    assert browser.ensure(debian.cache, debian.env) == program
    assert len(debian.calls.read_text().splitlines()) == 3
    assert not list((debian.cache / "tmp").glob("*/*"))
    code, out = debian.run("ensure", "chromium")
    assert (code, out) == (0, "chromium: Debian's package, in the cache\n")
    assert debian.run("path", "chromium") == (0, f"{program}\n")
    assert debian.run("prune") == (0, "")


@pytest.mark.parametrize(
    ("made", "why"),
    [({"update": 100}, "apt's lists did not come"), ({"version": "99.0.1.2"}, "it is v99.0.1, too old")],
)
def test_what_does_not_come_or_is_too_old_leaves_nothing_and_names_another_way(debian, made, why):
    debian.put(**made)
    with pytest.raises(CannotMake, match=why) as told:
        browser.ensure(debian.cache, debian.env)
    assert "install Chromium or Chrome >= 120" in str(told.value)
    assert browser.find(debian.cache, debian.env) is None


def test_one_on_path_is_taken_in_a_fitting_version(debian, monkeypatch):
    monkeypatch.setattr(browser, "ON_PATH", ("chrome",))
    debian.script("chrome", "#!/bin/sh\necho Google Chrome 119.0.1.1\n")
    assert browser.find(debian.cache, debian.env) is None
    debian.script("chrome", "#!/bin/sh\necho Google Chrome 141.0.7.2\n")
    assert browser.find(debian.cache, debian.env) == (debian.folder / "path" / "chrome", "PATH, v141.0.7")


def test_without_apt_the_way_out_is_a_browser_on_path(debian):
    debian.env["PATH"] = str(debian.folder)
    with pytest.raises(CannotMake, match="this is no Debian; install Chromium"):
        browser.ensure(debian.cache, debian.env)
