import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from fourfold.images import ImageSet
from fourfold.report import render
from fourfold.score import AXES

PRIVATE = ("ward7", "ward9", "scan_0", "held_", "synth_", "MRN", "/home", "/data", ".dcm", "broken_007", "alert(1)")


class Elements(HTMLParser):
    """Every start tag with its attributes, and the text of the page without scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text, self._hidden = [], [], False
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self._hidden = tag in ("script", "style")

    def handle_endtag(self, tag):
        self._hidden = False

    def handle_data(self, data):
        if not self._hidden:
            self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def internal(rendered):
    return rendered("internal")


@pytest.fixture(scope="module")
def shareable(rendered):
    return rendered("shareable")


@pytest.fixture(params=["internal", "shareable"])
def page(request):
    return request.getfixturevalue(request.param)


def test_the_first_screen_answers_the_four_questions_in_a_sentence(evaluation, page):
    elements = Elements(page)
    answers = [attributes for attributes in elements.all("article") if "data-axis" in attributes]
    assert [attributes["data-axis"] for attributes in answers] == list(AXES)
    assert [attributes["data-status"] for attributes in answers] == ["fail"] * 4
    first_screen = page[: page.index('<section class="page')]
    for axis in AXES:
        assert evaluation.verdicts[axis].sentence in html.unescape(first_screen)


def test_the_leading_score_stands_with_null_and_interval(page):
    first_screen = page[: page.index('<section class="page')]
    said = "value 1.84, 95 % interval 1.31 to 2.40, null 0.52, fresh real samples 0.31 to 0.77"
    assert f'aria-label="{said}"' in first_screen
    assert "1.84 (1.31 to 2.40)" in first_screen


def test_a_score_that_does_not_apply_says_why(page):
    assert "400 columns and 90 synthetic images: the covariance would not have full rank" in page


def test_every_score_has_its_source(evaluation, page):
    for score in evaluation.scores:
        assert score.source in html.unescape(page)


def test_the_page_asks_for_nothing_outside_of_itself(page):
    elements = Elements(page)
    assert not elements.all("link")
    assert not elements.all("iframe")
    for tag, attributes in elements.tags:
        assert "srcset" not in attributes
        assert (attributes.get("src") or "data:image/png;base64,").startswith("data:image/png;base64,"), tag
        for name in ("href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith(("#", "shareable.html")), tag
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_only_the_scripts_of_the_page_may_run(page):
    policy = next(a["content"] for a in Elements(page).all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert page.count("<script>") == 1


def test_a_hostile_file_name_is_text(internal):
    assert "<script>alert(1)" not in internal
    assert "&lt;script&gt;alert(1)" in internal
    assert len(Elements(internal).all("script")) == 1


def test_identifiers_of_elements_are_unique(page):
    found = re.findall(r'\sid="([^"]+)"', page)
    assert len(found) == len(set(found))
    for target in re.findall(r'href="#([^"]+)"', page):
        assert target in found


@pytest.mark.parametrize(
    "options", [{}, {"holdout": False}, {"labels": False, "copies": 0}, {"volumes": True}], ids=str
)
def test_the_shareable_edition_holds_no_image_no_path_and_no_identifier(rendered, options):
    page = rendered("shareable", **options)
    assert not Elements(page).all("img")
    assert "data:image" not in page.replace("img-src data:", "")
    for private in PRIVATE:
        assert private not in page, private


def test_the_shareable_edition_holds_the_same_scores(internal, shareable):
    rows = re.compile(r'<td class="n">.*?</td>', re.DOTALL)
    assert rows.findall(internal) == rows.findall(shareable)
    assert internal.count("<figure") > shareable.count("<figure") == shareable.count('class="plot"')
    assert internal.count('class="plot"') == shareable.count('class="plot"')


def test_the_shareable_map_has_no_mark_for_a_single_image(internal, shareable):
    assert "Outlines of training, holdout and synthetic images" in shareable
    assert "Outlines of training, holdout and synthetic images" not in internal


def test_copies_are_shown_beside_their_source_in_order_of_their_p_value(internal):
    assert "5 of 90 synthetic images are listed as copies; shown: 5, smallest p-value first." in internal
    assert internal.count("Listed as a copy") == 5
    order = [internal.index(f"Listed as a copy</span></span>: {name}") for name in ("made/synth_001", "made/synth_004")]
    assert order == sorted(order)


def test_without_copies_the_nearest_pairs_are_shown_and_called_that(rendered):
    page = rendered("internal", copies=0)
    assert "No synthetic image is listed as a copy. The 4 pairs with the smallest p-values, for the eye." in page
    assert "Listed as a copy" not in page
    assert "Nearest pairs" in page


def test_without_a_search_no_image_is_called_free_of_copies(evaluation):
    scores = tuple(score for score in evaluation.scores if score.name != "copies")
    page = render(replace(evaluation, scores=scores, comparisons={}), "internal")
    assert "Copies were not searched for." in page
    assert "is listed as a copy" not in page


def test_galleries_say_how_many_of_how_many_they_show(internal):
    assert "8 of 90; the median realism is" in internal
    shown = re.search(r"(\d+) of 120 training images are uncovered\. .*?Shown: (\d+) of (\d+) patients", internal)
    assert shown
    assert int(shown.group(2)) == min(16, int(shown.group(3)))


def test_without_a_holdout_the_page_says_that_nulls_are_missing(rendered):
    words = Elements(rendered("internal", holdout=False)).words
    assert "120 training images of 40 patients and no holdout" in words
    assert "There is no holdout: scores whose null needs one have none." in words
    assert "There is no holdout; training images and their nearest other patient stand in for it." in words
    assert "There is no holdout, so the null is unknown." in words


def test_an_axis_without_scores_is_inconclusive_and_not_silent(evaluation):
    scores = tuple(score for score in evaluation.scores if score.axis != "utility")
    verdicts = {axis: verdict for axis, verdict in evaluation.verdicts.items() if axis != "utility"}
    page = render(replace(evaluation, scores=scores, verdicts=verdicts, comparisons={}), "shareable")
    assert 'data-axis="utility" data-status="inconclusive"' in page
    assert "Not asked: no score of this axis was computed." in page


def test_no_status_promises_safety(rendered, page):
    passed = rendered("internal", copies=0)
    for text in (page, passed):
        assert not re.search(r"\b(safe|secure|anonymous|guarantee\w*|certif\w+)\b", Elements(text).words, re.IGNORECASE)


def test_every_image_and_plot_has_words_for_those_who_cannot_see_it(internal):
    elements = Elements(internal)
    assert all(attributes.get("alt") for attributes in elements.all("img"))
    drawn = [attributes for attributes in elements.all("svg") if attributes.get("class") in ("plot", "bar")]
    assert len(drawn) > 20
    assert all(attributes.get("role") == "img" and attributes.get("aria-label") for attributes in drawn)


def test_headings_do_not_skip_a_level(page):
    levels = [int(tag[1]) for tag, _ in Elements(page).tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_large_colour_images_stay_below_three_megabytes(evaluation):
    rng = np.random.default_rng(0)
    sets = evaluation.sets
    large = {
        role: replace(
            ImageSet.from_array(rng.random((len(images), 3, 160, 160), dtype=np.float32)),
            entries=images.entries,
            preparation=replace(images.preparation, shape=(160, 160), channels=3),
        )
        for role, images in (("training", sets.training), ("synthetic", sets.synthetic))
    }
    page = render(replace(evaluation, sets=replace(sets, **large)), "internal")
    assert len(page.encode()) < 3_000_000


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast_in_both_themes(page, theme):
    block = re.search(rf"color-scheme: {theme};(.*?)}}", page, re.DOTALL).group(1)
    colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", block))
    for text in ("ink", "muted", "link", "pass", "fail", "inconclusive", "training", "holdout", "synthetic"):
        for ground in ("paper", "card"):
            one, two = sorted((luminance(colours[text]), luminance(colours[ground])))
            assert (two + 0.05) / (one + 0.05) >= 4.5, (text, ground)
