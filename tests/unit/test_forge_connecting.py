"""From a remote and a configuration to a forge and a token, and to nobody else."""

from __future__ import annotations

import dataclasses
import json
import string
from pathlib import Path
from typing import cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit.config import Config, Forge
from pytest_cockpit.config import Seal as SealSettings
from pytest_cockpit.forge import addresses, tokens
from pytest_cockpit.forge.addresses import Address
from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.forge.connecting import connect
from pytest_cockpit.forge.github import GitHub
from pytest_cockpit.forge.gitlab import GitLab
from pytest_cockpit.git import Repository

SECRET = "ghp_" + "Z" * 36

# ------------------------------------------------------------------ remotes


@pytest.mark.parametrize(
    "url, host, repository",
    [
        ("https://github.com/o/r", "github.com", "o/r"),
        ("https://github.com/o/r.git", "github.com", "o/r"),
        ("https://github.com/o/r/", "github.com", "o/r"),
        ("https://user:secret@GitHub.com/o/r.git", "github.com", "o/r"),
        ("https://x-access-token:s@git.example.org:8443/o/r.git", "git.example.org:8443", "o/r"),
        ("git@github.com:o/r.git", "github.com", "o/r"),
        ("github.com:o/r", "github.com", "o/r"),
        ("git@github.com:/o/r.git", "github.com", "o/r"),
        ("ssh://git@github.com/o/r.git", "github.com", "o/r"),
        ("ssh://git@git.example.org:2222/o/r.git", "git.example.org", "o/r"),
        ("ssh://git@ssh.github.com:443/o/r.git", "github.com", "o/r"),
        ("git@altssh.gitlab.com:o/r.git", "gitlab.com", "o/r"),
        ("git+ssh://git@github.com/o/r", "github.com", "o/r"),
        ("git://github.com/o/r.git", "github.com", "o/r"),
        ("git@gitlab.com:group/sub/sub-2/r.git", "gitlab.com", "group/sub/sub-2/r"),
        ("https://gitlab.example.org/group/sub/r.x", "gitlab.example.org", "group/sub/r.x"),
        ("https://github.com/o/r%2Dx", "github.com", "o/r-x"),
        ("http://127.0.0.1:8080/o/r", "127.0.0.1:8080", "o/r"),
        ("https://[::1]:8443/o/r", "[::1]:8443", "o/r"),
        ("https://github.com/o/.github", "github.com", "o/.github"),
    ],
)
def test_the_address_of_a_remote(url, host, repository):
    assert addresses.parse(url) == Address(host, repository)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/srv/git/o/r.git",
        "../o/r",
        "file:///srv/git/o/r",
        "C:\\repos\\r",
        "C:/repos/r",
        "https://github.com",
        "https://github.com/r",
        "https://github.com/o/..",
        "https://github.com/o/%2e%2e/r",
        "https://github.com/o/r\nHost: evil",
        "https://git hub.com/o/r",
        "https://[::1/o/r",
        "https://x:99999/o/r",
        "ext::sh -c touch% x",
        "codecommit://r",
        "https://-x/o/r",
        "git@-oProxyCommand=x:o/r",
        "https://github.com/o/r?x=y z",
    ],
)
def test_what_is_no_address_of_a_forge(url):
    assert addresses.parse(url) is None


@given(st.text())
@example("https://\u2100/o/r")
@example("a" * 300 + ":o/r")
@example("://")
def test_any_remote_is_an_address_or_none(url):
    found = addresses.parse(url)
    if found is not None:
        assert found.host == found.host.lower()
        assert "/" in found.repository
        assert not set(found.host + found.repository) & set(" \t\r\n\0@?#%\\\"'$`")
        assert ".." not in found.repository.split("/")


@given(st.text(alphabet=string.printable))
def test_any_url_of_an_api_is_a_host_or_none(url):
    host = addresses.host_of(url)
    assert host == host.lower()
    if url.startswith("http://") and host:
        assert addresses.is_loopback(addresses.without_port(host))


@pytest.mark.parametrize(
    "kind, host, api",
    [
        ("github", "github.com", "https://api.github.com"),
        ("github", "corp.ghe.com", "https://api.corp.ghe.com"),
        ("github", "git.example.org:8443", "https://git.example.org:8443/api/v3"),
        ("gitlab", "gitlab.com", "https://gitlab.com/api/v4"),
        ("gitlab", "git.example.org", "https://git.example.org/api/v4"),
    ],
)
def test_where_the_api_is(kind, host, api):
    assert addresses.api_of(kind, host) == api
    assert addresses.host_of(api) == host


@pytest.mark.parametrize(
    "url",
    [
        "http://git.example.org/api/v3",
        "https://u:p@git.example.org",
        "https://",
        "ftp://github.com",
        "https://github.com?x=1",
        "https://github.com#x",
        "https://[x",
    ],
)
def test_an_api_that_is_not_asked(url):
    assert addresses.host_of(url) == ""


@pytest.mark.parametrize(
    "host, kind",
    [
        ("github.com", "github"),
        ("github.example.org", "github"),
        ("corp.ghe.com", "github"),
        ("gitlab.com", "gitlab"),
        ("gitlab.example.org:8443", "gitlab"),
        ("git.example.org", None),
        ("github.com.evil.org", "github"),
        ("notgithub.com", None),
    ],
)
def test_which_forge_a_host_is_by_its_name(host, kind):
    assert addresses.kind_of(host) == kind


# ------------------------------------------------------------------ tokens


@pytest.mark.parametrize(
    "kind, host, environ, source",
    [
        ("github", "github.com", {"GITHUB_TOKEN": "a", "GH_TOKEN": "b"}, "GITHUB_TOKEN"),
        ("github", "github.com", {"GITHUB_TOKEN": " ", "GH_TOKEN": "b\n"}, "GH_TOKEN"),
        ("github", "x.ghe.com", {"GH_TOKEN": "b"}, "GH_TOKEN"),
        ("github", "git.example.org", {"GH_ENTERPRISE_TOKEN": "b"}, "GH_ENTERPRISE_TOKEN"),
        (
            "github",
            "git.example.org",
            {"GITHUB_TOKEN": "a", "GITHUB_SERVER_URL": "https://git.example.org"},
            "GITHUB_TOKEN",
        ),
        ("github", "127.0.0.1:1", {"GITHUB_TOKEN": "a"}, "GITHUB_TOKEN"),
        ("gitlab", "gitlab.com", {"GITLAB_TOKEN": "a", "CI_JOB_TOKEN": "b"}, "GITLAB_TOKEN"),
        (
            "gitlab",
            "git.example.org",
            {"CI_JOB_TOKEN": "b", "CI_SERVER_HOST": "git.example.org"},
            "CI_JOB_TOKEN",
        ),
    ],
)
def test_which_token_goes_to_which_host(kind, host, environ, source, tmp_path):
    found = tokens.find(kind, host, environ, tmp_path)
    assert found.source == source
    assert found.reveal() == environ[source].strip()


@pytest.mark.parametrize(
    "kind, host, environ",
    [
        # A token of github.com is none of a server of one's own, and the other way round.
        ("github", "git.example.org", {"GITHUB_TOKEN": "a"}),
        ("github", "github.com.evil.org", {"GITHUB_TOKEN": "a", "GH_TOKEN": "b"}),
        ("github", "github.com", {"GH_ENTERPRISE_TOKEN": "a", "GITLAB_TOKEN": "b"}),
        ("gitlab", "gitlab.com", {"CI_JOB_TOKEN": "b", "CI_SERVER_HOST": "git.example.org"}),
        ("gitlab", "gitlab.com", {"GITHUB_TOKEN": "a"}),
    ],
)
def test_a_token_goes_nowhere_else(kind, host, environ, tmp_path, no_cli):
    with pytest.raises(ForgeError, match=r"no token for it; set "):
        tokens.find(kind, host, environ, tmp_path)


@pytest.fixture
def no_cli(monkeypatch, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


@pytest.fixture
def cli(monkeypatch, tmp_path):
    """A program in the place of GitHub's that notes how it was called."""

    def make(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "gh"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> "{tmp_path}/argv"\nenv > "{tmp_path}/env"\n{script}\n'
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return tmp_path / "argv"

    return make


def test_the_cli_is_asked_for_this_host(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("GH_ENTERPRISE_TOKEN", SECRET)
    argv = cli(f"echo {SECRET}")
    found = tokens.find("github", "git.example.org:8443", {}, tmp_path)
    assert (found.reveal(), found.source) == (SECRET, "gh auth token")
    assert argv.read_text() == "auth token --hostname git.example.org\n"
    assert SECRET not in (tmp_path / "env").read_text()


@pytest.mark.parametrize(
    "script", ["exit 1", "echo 'a b'", "printf '\\377'", ":", "echo x; exit 4"]
)
def test_a_cli_without_a_login(cli, tmp_path, script):
    cli(script)
    with pytest.raises(ForgeError, match=r"gh auth login --hostname github\.com"):
        tokens.find("github", "github.com", {}, tmp_path)


def test_a_cli_that_hangs_is_not_waited_for(cli, tmp_path, monkeypatch):
    monkeypatch.setattr(tokens, "_GH_TIMEOUT_S", 0.3)
    cli("sleep 30")
    with pytest.raises(ForgeError, match="no token for it"):
        tokens.find("github", "github.com", {}, tmp_path)


@pytest.mark.parametrize(
    "secret", ["two words", "tab\tbed", "naïve", "a\r\nHost: evil", "x" * 5000]
)
def test_what_is_no_token_is_refused_and_not_shown(secret, tmp_path):
    with pytest.raises(ForgeError, match=r"GITHUB_TOKEN: holds no token") as caught:
        tokens.find("github", "github.com", {"GITHUB_TOKEN": secret}, tmp_path)
    assert secret not in str(caught.value)


def test_a_token_shows_itself_nowhere():
    token = tokens.Token(SECRET, "GITHUB_TOKEN")
    assert repr(token) == str(token) == "Token(from GITHUB_TOKEN)"
    assert SECRET not in f"{[token]!r}{token!s}"
    assert token.masked(f"a {SECRET} b") == "a *** b"
    with pytest.raises(TypeError):
        json.dumps(token)


# ------------------------------------------------------------------ connections


def settings(remote="origin", **forge):
    return Config(forge=Forge(**forge), seal=SealSettings(remote=remote))


@pytest.fixture
def repo(make_checkout):
    return make_checkout({"a": "1"})


def test_github_through_its_remote(repo):
    repo.git("remote", "add", "origin", "git@github.com:o/r.git")
    found = connect(repo.repo, settings(), environ={"GITHUB_TOKEN": SECRET})
    assert isinstance(found.forge, GitHub)
    assert (found.forge.name, found.why, found.demanded) == ("github.com/o/r", "", False)


def test_gitlab_through_its_remote(repo):
    repo.git("remote", "add", "origin", "https://gitlab.example.org/g/s/r.git")
    found = connect(repo.repo, settings(), environ={"GITLAB_TOKEN": SECRET})
    assert isinstance(found.forge, GitLab)
    assert found.forge.name == "gitlab.example.org/g/s/r"


def test_abbreviations_of_the_users_git_are_expanded(repo):
    repo.git("config", "url.https://github.com/.insteadOf", "gh:")
    repo.git("remote", "add", "origin", "gh:o/r")
    assert (
        connect(repo.repo, settings(), environ={"GH_TOKEN": SECRET}).forge.name == "github.com/o/r"
    )


def test_a_push_address_counts_more(repo):
    repo.git("remote", "add", "origin", "https://mirror.example.org/o/r")
    repo.git("config", "remote.origin.pushurl", "git@github.com:o/r.git")
    assert (
        connect(repo.repo, settings(), environ={"GH_TOKEN": SECRET}).forge.name == "github.com/o/r"
    )


@pytest.mark.parametrize(
    "remote, forge, environ, why",
    [
        (None, {}, {}, "there is no remote 'origin'"),
        (None, {"kind": "github"}, {}, "there is no remote 'origin'"),
        ("/srv/r.git", {}, {}, "the remote 'origin' is on no forge"),
        (
            "https://git.example.org/o/r",
            {},
            {},
            "git.example.org: no forge that is known by its name",
        ),
        ("git@github.com:o/r", {}, {}, "github.com: no token for it; set GITHUB_TOKEN, or log in"),
        ("git@gitlab.com:o/r", {}, {}, "gitlab.com: no token for it; set GITLAB_TOKEN"),
        ("git@github.com:o/r", {"kind": "none"}, {}, 'tool.cockpit.forge.kind is "none"'),
        ("git@github.com:o/r", {}, {"GITHUB_TOKEN": "a b"}, "GITHUB_TOKEN: holds no token"),
        ("git@github.com:o/x/r", {}, {"GITHUB_TOKEN": "a"}, "set tool.cockpit.forge.repository"),
        ("/r.git", {"url": "http://git.example.org"}, {}, "http:// is for this machine alone"),
        ("/r.git", {"url": "https://u:p@git.example.org"}, {}, "without credentials"),
        ("/r.git", {"url": "https://github.com"}, {}, "set tool.cockpit.forge.repository"),
    ],
)
def test_why_there_is_no_forge(repo, no_cli_but_git, remote, forge, environ, why):
    if remote:
        repo.git("remote", "add", "origin", remote)
    found = connect(repo.repo, settings(**forge), environ=environ)
    assert found.forge is None
    assert why in found.why
    assert "\n" not in found.why
    assert "u:p" not in found.why
    if forge.get("kind") == "github":
        with pytest.raises(ForgeError, match=why):
            found.required()
    else:
        assert found.required() is None


@pytest.fixture
def no_cli_but_git(monkeypatch, tmp_path):
    import shutil

    folder = tmp_path / "only-git"
    folder.mkdir()
    (folder / "git").symlink_to(shutil.which("git"))
    monkeypatch.setenv("PATH", str(folder))


def test_no_file_of_the_repository_chooses_who_gets_the_token(repo):
    repo.git("remote", "add", "origin", "git@github.com:o/r.git")
    environ = {"GITHUB_TOKEN": SECRET, "GH_ENTERPRISE_TOKEN": SECRET}
    evil = settings(kind="github", url="https://evil.example.org/api/v3", repository="o/r")
    found = connect(repo.repo, evil, environ=environ)
    assert found.forge is None
    assert "evil.example.org is not the host of the remote, so it gets no token" in found.why
    trusted = connect(repo.repo, evil, environ={**environ, "GH_HOST": "evil.example.org"})
    assert trusted.forge.name == "evil.example.org/o/r"


def test_a_missing_extra_is_named(repo, monkeypatch):
    import sys

    repo.git("remote", "add", "origin", "git@github.com:o/r.git")
    monkeypatch.setitem(sys.modules, "pytest_cockpit.forge.github", None)
    found = connect(repo.repo, settings(), environ={"GITHUB_TOKEN": SECRET})
    assert "pip install 'pytest-cockpit[github]' first" in found.why


def test_connecting_sends_nothing(repo, forge):
    url = {"url": forge.url, "repository": "o/r", "kind": "github"}
    assert connect(repo.repo, settings(**url), environ={"GITHUB_TOKEN": SECRET}).forge
    assert forge.asked == []


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8")))
def test_any_setting_gives_a_forge_or_words(text):
    forge = Forge(kind="github", url=text, repository="o/r")
    found = connect(
        cast("Repository", _Nowhere()), dataclasses.replace(Config(), forge=forge), environ={}
    )
    assert (found.forge is None) == bool(found.why)
    assert found.why.isprintable()


class _Nowhere:
    """A repository without a remote."""

    root = Path("/nonexistent")

    def remote_url(self, remote):
        return None
