import os
import subprocess
import sys

from audionet import console


def test_a_table_is_plain_text(capsys):
    console.print_table([("NAME", "SIZE"), ("fsdd", "1 MB"), ("x", "")])
    assert capsys.readouterr().out == "NAME  SIZE\nfsdd  1 MB\nx\n"


def test_no_bar_where_standard_error_is_no_terminal(capsys):
    with console.progress("work", 3, done=1) as advance:
        advance(2)
    assert capsys.readouterr() == ("", "")


def test_a_bar_where_it_is_one():
    """A pseudo-terminal stands for standard error."""
    code = (
        "from audionet import console\n"
        "with console.progress('work', 3, done=1) as advance: advance(2)\n"
        "with console.progress('endless', None) as advance: advance(1)\n"
    )
    ours, theirs = os.openpty()
    done = subprocess.run([sys.executable, "-c", code], stderr=theirs, stdout=subprocess.PIPE, env={"TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0 and done.stdout == b""
    assert "work" in shown and "3/3" in shown and "endless" in shown and "1/?" in shown


def test_a_note_is_one_line_on_standard_error_of_one_process(capsys, monkeypatch):
    console.note("left out\nsomething \udcff")
    assert capsys.readouterr() == ("", "note: left out something \\udcff\n")
    monkeypatch.setenv("LOCAL_RANK", "1")
    console.note("left out")
    assert capsys.readouterr() == ("", "")
