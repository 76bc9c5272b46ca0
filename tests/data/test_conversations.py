import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from instructglm.config.data import RowSource
from instructglm.core.cache import cache_folder
from instructglm.core.errors import DataError
from instructglm.core.ledger import LedgerEntry
from instructglm.core.records import Example, Fault, Message
from instructglm.data.formats.conversations import read_file
from instructglm.data.records import EmptyRow

SOURCE = RowSource(path="talk.yml", format="conversations")
ENGLISH = cache_folder() / "packages" / "chatterbot-corpus-1.3.3-wheel" / "chatterbot_corpus" / "data" / "english"


def read(path, source=SOURCE):
    return list(read_file(path, "talk.yml", source, "talk"))


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "talk.yml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_first_utterance_is_the_prompt_and_second_the_answer(write):
    [example] = read(write("categories: [food]\nconversations:\n- - Do you drink?\n  - Only electricity.\n"))
    assert example.messages == (Message(role="user", content="Do you drink?"),)
    assert example.references == ("Only electricity.",)
    assert (example.row, example.task, example.choices) == ("talk.yml:3", "talk", ())
    assert example.metadata == {"categories": ["food"]}


def test_instruction_and_system_frame_the_prompt(write):
    source = RowSource(path="talk.yml", format="conversations", instruction="Reply.", system="You are kind.")
    [example] = read(write("conversations:\n- [Hi, Hello]\n"), source)
    assert [message.content for message in example.messages] == ["You are kind.", "Reply.\n\nHi"]


def test_later_utterances_are_named_and_not_used(write):
    example, rest = read(write("conversations:\n- - Hi\n  - Hello\n  - How are you?\n  - Fine\n"))
    assert example.references == ("Hello",)
    assert isinstance(rest, LedgerEntry)
    assert (rest.row, rest.reason, rest.action, rest.task) == ("talk.yml:2", "unused", "cut", "talk")
    assert rest.detail.startswith("conversations[0][2:]: 2 later utterances")


def test_utterances_are_taken_as_written(write):
    found = read(write("conversations:\n- [Yes, 'No']\n- [1984, 2.50]\n"))
    assert [(example.messages[0].content, example.references[0]) for example in found] == [
        ("Yes", "No"),
        ("1984", "2.50"),
    ]


def test_every_bad_conversation_is_named_by_its_line(write):
    found = read(
        write(
            "conversations:\n- - Good\n  - Answer\n- a text\n  - '22'\n- - Alone\n- - Prompt\n  - [a, b]\n"
            "- who: me\n- - Blank answer\n  -\n- - ''\n  - Blank prompt\n"
        )
    )
    faults = [row for row in found if isinstance(row, Fault)]
    assert [(fault.row, fault.field, fault.found) for fault in faults] == [
        ("talk.yml:4", "conversations[1]", "\"a text - '22'\""),
        ("talk.yml:6", "conversations[2]", "a list of 1"),
        ("talk.yml:7", "conversations[3]", "a list as an utterance, in line 8"),
        ("talk.yml:9", "conversations[4]", "an object"),
    ]
    empty = [(row.row, row.field) for row in found if isinstance(row, EmptyRow)]
    assert empty == [("talk.yml:10", "conversations[5][1]"), ("talk.yml:12", "conversations[6][0]")]
    assert sum(isinstance(row, Example) for row in found) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conversations:\n- - a: b: c\n", "talk.yml:2:9: wrong YAML"),
        ('conversations:\n- - "open\n', "wrong YAML"),
        ("[" * 5000, "wrong YAML"),
        ("- - Hi\n  - Hello\n", "starts with a list"),
        ("# nothing\n", "holds nothing"),
        ("conversations: none\n", "no list `conversations`"),
        ("talks:\n- [a, b]\n", "no list `conversations`"),
        ("conversations:\n- [你好, 您好]\n".encode("gbk"), "GBK"),
        ("", "empty"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole(write, text, message):
    with pytest.raises(DataError) as caught:
        read(write(text))
    assert message in str(caught.value)
    assert str(caught.value).startswith("talk.yml")


def test_a_file_that_is_too_large_is_not_parsed(write):
    path = write("x")
    with path.open("ab") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(DataError, match="found 17 MiB of YAML; expected at most 16 MiB"):
        read(path)


def test_reads_utf_16_and_a_byte_order_mark(write):
    for encoding in ("utf-16", "utf-8-sig"):
        [example] = read(write("conversations:\n- [你好, 您好]\n".encode(encoding)))
        assert example.references == ("您好",)


utterances = st.text(min_size=1).filter(str.strip)


@given(st.lists(st.tuples(utterances, utterances)))
def test_what_yaml_writes_comes_back(tmp_path_factory, pairs):
    path = tmp_path_factory.mktemp("talk") / "talk.yml"
    path.write_text(yaml.safe_dump({"conversations": [list(pair) for pair in pairs]}), encoding="utf-8")
    found = [(row.messages[0].content, row.references[0]) for row in read(path) if isinstance(row, Example)]
    assert found == pairs


@pytest.mark.skipif(not ENGLISH.is_dir(), reason="chatterbot-corpus is not in the cache")
def test_the_real_corpus():
    """The English files; one conversation is misformed by its authors."""
    files = sorted(ENGLISH.glob("*.yml"))
    found = [row for file in files for row in read_file(file, file.name, SOURCE, "talk")]
    examples = [row for row in found if isinstance(row, Example)]
    assert [row.row for row in found if isinstance(row, Fault)] == ["trivia.yml:35"]
    assert (len(examples), len({example.id for example in examples})) == (2025, 748)
    assert sum(isinstance(row, LedgerEntry) for row in found) == 79
