"""A recipe of detectors: what ships is read, and every mistake is told with its line and the way out."""

from pathlib import Path

import pytest

from autoscaler.adapters.pyod_recipe import read_recipe
from autoscaler.domain.errors import InvalidSpec

pytestmark = pytest.mark.slow  # pyod's import alone takes seconds
SHIPPED = Path(__file__).parents[3] / "models" / "detectors.yaml"


def test_the_shipped_recipe_names_the_four() -> None:
    assert {one.kind for one in read_recipe(SHIPPED)} == {"IForest", "ECOD", "KNN", "PCA"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: DetectorRecipe\ndetectors:\n- {name: a, detector: IForst}\n", ":3:.*no such detector.*IForest"),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: KNN, parameters: {n_neighbours: 3}}\n",
            "n_neighbors",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: KNN, parameters: {contamination: 0.1}}\n",
            "no parameter",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: KNN}\n- {name: a, detector: PCA}\n",
            ":4:.*named twice",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: IForest, parameters: {n_estimators: -5}}\n",
            ":3:.*n_estimators.*-5.*leave them out",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: KNN, parameters: {n_neighbors: 100000}}\n",
            ":3:.*n_neighbors",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: KNN, parameters: {method: nonsense}}\n",
            ":3:.*no parameters that KNN works with",
        ),
        (
            "kind: DetectorRecipe\ndetectors:\n- {name: a, detector: PCA, parameters: {n_components: 50}}\n",
            ":3:.*n_components=50",
        ),
        ("kind: Recipe\ndetectors: []\n", ":1:"),
        ("kind: DetectorRecipe\ndetectors:\n- {name: A b, detector: KNN}\n", ":3:"),
        ("kind: DetectorRecipe\n", "detectors"),
        ("kind: DetectorRecipe\ndetectors: []\n", ":2:.*at least 1"),
        ("", "empty"),
    ],
)
def test_mistakes_are_told_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidSpec, match=words):
        read_recipe(file)
