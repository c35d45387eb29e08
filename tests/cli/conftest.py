import pytest

from minindrnn.cli.commands import main


@pytest.fixture
def refused(capsys):
    """refused(arguments): the one line with which the command line says no."""
    def message_of(arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        message = err.strip().split("\r")[-1]
        assert caught.value.code == 2
        assert out == ""
        assert "\n" not in message
        assert "Traceback" not in message
        return message
    return message_of
