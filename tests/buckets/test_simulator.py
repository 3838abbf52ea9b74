"""The access simulator's page: who may ask what, what he is told, and what he is not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from buckets.services import configure_bucket, create_bucket, find_bucket
from iam import services
from iam.keyring import RoleName
from tests.people import browser, person

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from iam.models import User
    from storage_engine import StorageEngine

PAGE = "/access/"
ALLOW = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Reads", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
            {
                "Sid": "NotThese",
                "Effect": "Deny",
                "Action": "s3:*",
                "Resource": "arn:aws:s3:::bosses/<b>*",
            },
        ],
    }
)


def text(response: HttpResponse) -> str:
    """Read a page."""
    assert response.status_code == 200
    return response.content.decode()


def ask(client: Client, **question: Any) -> HttpResponse:
    """Ask a question."""
    filled = {"action": "s3:GetObject", "bucket": "bosses", "key": "there", **question}
    return client.get(f"{PAGE}?{urlencode(filled)}")


def told(response: HttpResponse) -> tuple[str, str, str]:
    """Read the outcome, why, and the statement that decided."""
    answer = response.context["told"]
    assert answer is not None, response.context["form"].errors
    return answer.explanation.outcome.value, answer.why, answer.statement


def errors(response: HttpResponse) -> dict[str, str]:
    """Read what the form complains about, by field."""
    assert response.status_code == 200
    assert response.context["told"] is None
    return {name: str(found[0]) for name, found in response.context["form"].errors.items()}


@pytest.fixture
def boss(store: StorageEngine) -> User:
    """Make a SuperUser with a bucket."""
    user = person("boss", RoleName.SUPERUSER)
    create_bucket("bosses", user.canonical_id)
    return user


@pytest.fixture
def writer(boss: User) -> User:
    """Make a Writer with a bucket."""
    user = person("wilma", RoleName.WRITER)
    create_bucket("wilmas", user.canonical_id)
    return user


def test_a_superuser_asks_about_anybody(boss: User, writer: User) -> None:
    """The outcome is told with the reason, the deciding statement and every policy heard."""
    console = browser("boss")
    outcome, why, statement = told(ask(console, user=writer.pk, key="<b>x"))
    assert (outcome, statement) == ("denied", "")
    assert "no policy and no ACL allows it" in why
    services.create_policy("some", ALLOW)
    services.set_policies(writer.pk, ["some"])
    response = ask(console, user=writer.pk, key="<b>x")
    outcome, why, statement = told(response)
    assert outcome == "denied"
    assert 'statement "NotThese" of policy "some" of the user denies it' in why
    assert json.loads(statement)["Sid"] == "NotThese"
    page = text(response)
    assert "<b>x" not in page
    assert "Policy &quot;Writer&quot; of the role &quot;Writer&quot;" in page


def test_a_key_and_nobody_are_asked_about(boss: User, writer: User) -> None:
    """A key is heard with the policy that narrows it; who is not named does not sign."""
    console = browser("boss")
    key = services.create_key(writer.pk, policy=ALLOW).access_key
    question = {"access_key": key, "bucket": "wilmas", "action": "s3:PutObject"}
    outcome, why, _ = told(ask(console, **question))
    assert outcome == "denied"
    assert "own policy does not allow it" in why
    assert told(ask(console, bucket="wilmas"))[0] == "denied"


def test_what_the_request_says_of_itself_counts(boss: User, writer: User) -> None:
    """Conditions are held against the lines of the form."""
    document = {
        "Version": "2012-10-17",
        "Statement": {
            "Sid": "Home",
            "Effect": "Allow",
            "Action": "s3:PutObject",
            "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
        },
    }
    services.put_inline_policy(writer, "home", json.dumps(document))
    console = browser("boss")
    question = {"user": writer.pk, "action": "s3:PutObject"}
    assert told(ask(console, **question, context="aws:SourceIp = 11.0.0.1"))[0] == "denied"
    lines = "aws:SourceIp=10.0.0.1\n\naws:UserAgent = a=b"
    heard = ask(console, **question, context=lines).context["told"].heard
    assert [(each.effect, each.statement) for each in heard[:1]] == [("allow", "Home")]
    assert "aws:sourceip" in text(ask(console, **question)).lower()


@pytest.mark.parametrize(
    ("question", "field", "complaint"),
    [
        ({"action": "s3:Nothing"}, "action", "no action"),
        ({"action": ""}, "action", "required"),
        ({"bucket": "nowhere"}, "bucket", "nowhere"),
        ({"bucket": ""}, "bucket", "Name what"),
        ({"key": ""}, "bucket", "an object"),
        ({"action": "s3:ListBucket"}, "bucket", "name alone"),
        ({"access_key": "NOSUCHKEY"}, "access_key", "no access key"),
        ({"user": "99999999"}, "user", "valid choice"),
        ({"user": "x"}, "user", "valid choice"),
        ({"context": "aws:SourceIp = 10.0.0.1\nnonsense"}, "context", "Line 2"),
        ({"context": "s3:nonsense = 1"}, "context", "no condition key"),
        ({"context": "aws:username = root"}, "context", "follows from"),
    ],
)
def test_a_wrong_question_is_told_at_its_field(
    boss: User, question: dict[str, str], field: str, complaint: str
) -> None:
    """What cannot be asked is refused at the field it is about, and nothing is explained."""
    assert complaint in errors(ask(browser("boss"), **question))[field]


def test_a_writer_asks_about_himself_alone(boss: User, writer: User) -> None:
    """A user names nobody else, neither by name nor by key, and asks about his own keys."""
    client = browser("wilma")
    assert 'name="user"' not in text(client.get(PAGE))
    theirs = services.create_key(boss.pk).access_key
    assert "You have no access key" in errors(ask(client, access_key=theirs))["access_key"]
    response = ask(client, user=boss.pk, bucket="wilmas", action="s3:ListBucket", key="")
    assert f"user/{writer.username}" in response.context["told"].explanation.who
    assert told(response)[0] == "allowed"
    own = services.create_key(writer.pk, policy=ALLOW).access_key
    response = ask(client, access_key=own, bucket="wilmas", action="s3:DeleteBucket", key="")
    assert told(response)[0] == "denied"
    assert "access key" in told(response)[1]


def test_of_anothers_bucket_a_writer_learns_the_outcome_alone(boss: User, writer: User) -> None:
    """What another's bucket policy says, and whether an object is there, is not told."""
    policy = {
        "Statement": {
            "Sid": "SecretName",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::bosses/*",
        }
    }
    configure_bucket(find_bucket("bosses").id, policy=json.dumps(policy))
    page = text(ask(browser("wilma")))
    assert "denied" in page
    assert "SecretName" not in page
    assert "SecretName" in text(ask(browser("boss"), user=writer.pk))


def test_a_stranger_asks_nothing(boss: User, client: Client) -> None:
    """Without a session the page leads to the login."""
    response = ask(client)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/")


def test_links_fill_the_question_in(boss: User, writer: User) -> None:
    """The pages of users and keys lead to a question about them, not yet asked."""
    console = browser("boss")
    assert f"{PAGE}?user={writer.pk}" in text(console.get(f"/iam/user/{writer.pk}/change/"))
    begun = console.get(f"{PAGE}?user={writer.pk}")
    assert begun.context["told"] is None
    assert f'<option value="{writer.pk}" selected' in text(begun)
