import pytest

from src.core.errors import UserError
from src.evaluation.benchmark import FileBenchmark
from src.evaluation.exemplars import EXEMPLARS
from src.evaluation.grading import grade
from src.evaluation.prompting import full_text, prompting
from src.evaluation.question import Question
from src.text.answers import extract_answer

PLAIN = Question("What is 1 + 1?", "2")
CHOICE = Question("Which is prime?", "B", choices=("51", "53"))


def benchmark(**options):
    return FileBenchmark(path="x.jsonl", fields={"question": "q", "answer": "a"}, **options)


def test_the_corpus_style_is_the_corpus_format():
    way = prompting("corpus", "unused")
    assert way.write(PLAIN, benchmark()) == "## Question\nWhat is 1 + 1?\n\n## Solution\n"
    assert "## Question" in way.stop


def test_choices_are_lettered():
    assert full_text(CHOICE) == "Which is prime?\n(A) 51\n(B) 53"


def test_few_shots_end_where_the_answer_begins():
    way = prompting("few_shot", "unused", shots=4)
    prompt = way.write(PLAIN, benchmark())
    assert prompt.count("Question:") == 5
    assert prompt.endswith("Question: What is 1 + 1?\nAnswer:")
    assert any(stop in prompt for stop in way.stop)  # a model that goes on with another question is stopped


@pytest.mark.parametrize("name", EXEMPLARS)
def test_exemplars_give_an_answer_that_the_extraction_finds(name):
    kind = "choice" if name == "choice" else "math"
    for question, answer in EXEMPLARS[name]:
        assert question
        found = extract_answer(answer, kind)
        assert found and grade(found, found, kind).correct
        assert len(found) < 20


TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def tokenizer_folder(folder, template, adds_bos):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = {"<|start|>": 0, "<|end|>": 1}
    words = Tokenizer(models.WordLevel({**special, "?": 2}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if adds_bos:
        words.post_processor = processors.TemplateProcessing(single="<|start|> $A", special_tokens=[("<|start|>", 0)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<|start|>", eos_token="<|end|>")
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("adds_bos", [False, True])
def test_the_chat_template_is_the_model_s_own(tmp_path, adds_bos):
    """A template may begin with the token that some tokenizers put before every text: it must stand there once."""
    from transformers import AutoTokenizer

    model = tokenizer_folder(tmp_path, TEMPLATE, adds_bos)
    prompt = prompting("chat", model).write(PLAIN, benchmark())
    assert prompt.startswith("user\n" if adds_bos else "<|start|>user\n")
    assert prompt.endswith("<|end|>\n<|start|>assistant\n")
    assert "What is 1 + 1?" in prompt and "\\boxed{}" in prompt
    assert AutoTokenizer.from_pretrained(model)(prompt)["input_ids"][:2] == [0, 2]


def test_a_choice_is_asked_for_by_letter(tmp_path):
    way = prompting("chat", tokenizer_folder(tmp_path, TEMPLATE, adds_bos=False))
    assert "the letter of the right choice" in way.write(CHOICE, benchmark(answer_type="choice"))


def test_a_model_without_a_template_is_told_apart(tmp_path):
    with pytest.raises(UserError, match="has no chat template"):
        prompting("chat", tokenizer_folder(tmp_path, None, adds_bos=False))


@pytest.mark.slow
def test_a_real_model_s_template(tmp_path):
    from src.modeling.smollm2 import gguf_file, unpack

    try:
        gguf_file()
    except UserError as error:
        pytest.skip(str(error))
    prompt = prompting("chat", str(unpack(tmp_path))).write(PLAIN, benchmark())
    assert prompt.startswith("<|im_start|>system\n")
    assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert "<|im_start|>user\nWhat is 1 + 1?" in prompt


def test_the_tool_style_is_the_tool_corpus_s_format():
    way = prompting("tool", "unused", turns=3)
    assert way.write(PLAIN, benchmark()) == "## Question\nWhat is 1 + 1?\n\n## Code Solution\n"
    assert (way.programs, way.reads_output) == (3, True)
