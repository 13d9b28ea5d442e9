from src.reporting.prose import EXCERPT, LONGEST, excerpt, to_html
from src.reporting.text import duration, listed, p_value, points, words


def test_markup_in_a_text_stays_text() -> None:
    assert to_html("<script>1 & 2") == "<p>&lt;script&gt;1 &amp; 2</p>"


def test_boxes_are_set_with_their_braces_balanced() -> None:
    assert to_html(r"so $\boxed{\frac{1}{2}}$.") == r'<p>so $<b class="boxed">\frac{1}{2}</b>$.</p>'
    assert to_html(r"\boxed{a<b}") == '<p><b class="boxed">a&lt;b</b></p>'
    assert to_html(r"\boxed{open") == r"<p>\boxed{open</p>"


def test_code_is_set_as_code_even_when_its_fence_never_closes() -> None:
    assert to_html("```python\nx = 1\n```\nend") == (
        '<pre><span class="lang">python</span><code>x = 1</code></pre><p>end</p>'
    )
    assert "<code>x &lt; 1</code>" in to_html("```\nx < 1")


def test_a_very_long_text_is_cut_and_says_so() -> None:
    assert to_html("a" * LONGEST).endswith("a</p>")
    assert to_html("a" * (LONGEST + 1)).endswith("… cut here</p>")
    assert len(excerpt("word " * 200)) <= EXCERPT + 2


def test_numbers_are_written_for_people() -> None:
    assert [duration(s) for s in (0.42, 59.6, 95, 3600, 9000)] == ["0.4 s", "1 min", "1 min 35 s", "1 h", "2 h 30 min"]
    assert [points(d) for d in (0.0421, -0.003, 0.0001)] == ["+4.2", "−0.3", "0.0"]
    assert [p_value(p) for p in (0.00002, 0.0312, 0.4)] == ["<0.001", "0.031", "0.40"]
    assert (listed(["a", "b", "c"]), words("amc8"), words("grade_school")) == ("a, b and c", "AMC 8", "grade school")
