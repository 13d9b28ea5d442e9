import pytest

from src.core.errors import UserError
from src.evaluation.benchmark import FileBenchmark
from src.evaluation.exemplars import EXEMPLARS
from src.evaluation.grading import grade
from src.evaluation.prompting import Protocol, full_text
from src.evaluation.question import Question
from src.text.answers import extract_answer

PLAIN = Question("What is 1 + 1?", "2")
CHOICE = Question("Which is prime?", "B", choices=("51", "53"))


def prompting(style, model=None, answer_type="math", exemplars_of="word_problems", own=None, **options):
    """How a benchmark is asked; `own`: options of the benchmark itself."""
    asked = benchmark(answer_type=answer_type, exemplars=exemplars_of, **(own or {}))
    return Protocol(style, **options).prompting(asked, model)


def benchmark(**options):
    return FileBenchmark(path="x.jsonl", fields={"question": "q", "answer": "a"}, **options)


def test_the_corpus_style_is_the_corpus_format():
    way = prompting("corpus")
    assert way.write(PLAIN) == "## Question\nWhat is 1 + 1?\n\n## Solution\n"
    assert "## Question" in way.stop


def test_choices_are_lettered():
    assert full_text(CHOICE) == "Which is prime?\n(A) 51\n(B) 53"


def test_few_shots_end_where_the_answer_begins():
    way = prompting("few_shot", shots=4)
    prompt = way.write(PLAIN)
    assert prompt.count("Question:") == 5
    assert prompt.endswith("Question: What is 1 + 1?\nAnswer:")
    assert any(stop in prompt for stop in way.stop)  # a model that goes on with another question is stopped


def test_eight_shots_are_eight_or_an_error():
    assert prompting("gsm8k_cot", shots=8).write(PLAIN).count("\nA:") == 9
    with pytest.raises(UserError, match=r"9 shots were asked for, and there are 8 exemplars in 'word_problems'"):
        prompting("few_shot", shots=9)
    with pytest.raises(UserError, match="8 shots"):
        prompting("minerva", shots=8, exemplars_of="mathematics")


def test_a_benchmark_has_its_own_number_of_shots():
    way = prompting("gsm8k_cot", own={"shots": 8}, shots=4)
    assert way.write(PLAIN).count("Q: ") == 9


def test_the_published_layouts():
    gsm8k = prompting("gsm8k_cot", shots=1)
    worked = "She gave away 9. So she has 23 - 9 = 14 marbles left. The answer is 14.\n\nQ: What is 1 + 1?\nA:"
    assert gsm8k.write(PLAIN).startswith("Q: Mia has 23 marbles.") and gsm8k.write(PLAIN).endswith(worked)
    minerva = prompting("minerva", shots=2, exemplars_of="mathematics")
    assert minerva.write(PLAIN).startswith("Problem:\nSolve $3x + 7 = 25$ for $x$.\n\nSolution:\nSubtracting 7 gives")
    end = "Final Answer: The final answer is $\\frac{5}{14}$. I hope it is correct.\n\n"
    assert minerva.write(PLAIN).endswith(f"{end}Problem:\nWhat is 1 + 1?\n\nSolution:")
    assert (gsm8k.stop[0], minerva.stop) == ("Q:", ("Problem:",))


@pytest.mark.parametrize("style", ["few_shot", "gsm8k_cot", "minerva"])
def test_exemplars_may_come_from_a_file(tmp_path, style):
    file = tmp_path / "shots.jsonl"
    file.write_text('{"question": "1 + 2?", "answer": "It is 3."}\n{"question": "2 + {x}?", "answer": "2 + {x}"}\n')
    prompt = prompting(style, shots=2, exemplars=str(file)).write(PLAIN)
    assert "1 + 2?" in prompt and "It is 3.\n\n" in prompt and "2 + {x}?" in prompt and "Mia" not in prompt
    first = Protocol(exemplars=str(file)).identity()
    file.write_text('{"question": "1 + 2?", "answer": "It is 4."}\n')
    assert Protocol(exemplars=str(file)).identity() != first
    with pytest.raises(UserError, match="there are 1 exemplars"):
        prompting(style, shots=2, exemplars=str(file))


def test_a_system_message_and_options_of_the_template(tmp_path):
    template = TEMPLATE + "{% if not enable_thinking | default(true) %}<think></think>{% endif %}"
    folder = tokenizer_folder(tmp_path, template, adds_bos=False)
    prompt = prompting("chat", folder, system="Be brief.", template={"enable_thinking": False}).write(PLAIN)
    assert prompt.startswith("<|start|>system\nBe brief.<|end|>\n<|start|>user\n")
    assert prompt.endswith("<|start|>assistant\n<think></think>")


def test_a_server_has_a_template_of_its_own():
    assert prompting("chat").write(PLAIN).startswith("What is 1 + 1?\n\nReason step by step")


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
    prompt = prompting("chat", model).write(PLAIN)
    assert prompt.startswith("user\n" if adds_bos else "<|start|>user\n")
    assert prompt.endswith("<|end|>\n<|start|>assistant\n")
    assert "What is 1 + 1?" in prompt and "\\boxed{}" in prompt
    assert AutoTokenizer.from_pretrained(model)(prompt)["input_ids"][:2] == [0, 2]


def test_a_choice_is_asked_for_by_letter(tmp_path):
    way = prompting("chat", tokenizer_folder(tmp_path, TEMPLATE, adds_bos=False), answer_type="choice")
    assert "the letter of the right choice" in way.write(CHOICE)


def test_a_model_without_a_template_is_told_apart(tmp_path):
    with pytest.raises(UserError, match="has no chat template"):
        prompting("chat", tokenizer_folder(tmp_path, None, adds_bos=False))


@pytest.mark.slow
def test_a_real_model_s_template(tmp_path):
    from src.modeling.smollm2 import gguf_file, unpack_tokenizer

    try:
        unpack_tokenizer(gguf_file(), tmp_path)
    except UserError as error:
        pytest.skip(str(error))
    prompt = prompting("chat", str(tmp_path)).write(PLAIN)
    assert prompt.startswith("<|im_start|>system\n")
    assert prompt.endswith("<|im_end|>\n<|im_start|>assistant\n")
    assert "<|im_start|>user\nWhat is 1 + 1?" in prompt


def test_the_tool_style_is_the_tool_corpus_s_format():
    way = prompting("tool", turns=3)
    assert way.write(PLAIN) == "## Question\nWhat is 1 + 1?\n\n## Code Solution\n"
    assert (way.programs, way.reads_output) == (3, True)
