from copy import deepcopy

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import ConfigCompositionException, MissingConfigException
from hydra.types import RunMode
from omegaconf import OmegaConf

from src.config import remembered


@pytest.fixture
def composed(tmp_path):
    """Composes `main.yaml` of a folder, which chooses an option of the group `size`."""
    remembered.remember()
    (tmp_path / "size").mkdir()
    (tmp_path / "size/small.yaml").write_text("rows: 1\n")
    (tmp_path / "main.yaml").write_text("defaults: [size: small, _self_]\nseed: 0\n")

    def read(*overrides):
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            return OmegaConf.to_container(compose("main", overrides=list(overrides)))

    return tmp_path, read


def test_a_file_is_parsed_once_and_every_composition_is_its_own(composed, monkeypatch):
    _, read = composed
    first = read("size.rows=5")
    monkeypatch.setattr(remembered.hydras.FileConfigSource, "load_config", lambda *_, **__: pytest.fail("parsed again"))
    assert (first, read()) == ({"size": {"rows": 5}, "seed": 0}, {"size": {"rows": 1}, "seed": 0})


def test_a_file_that_has_changed_is_read_again(composed):
    folder, read = composed
    read()
    (folder / "size/small.yaml").write_text("rows: 22\n")
    assert read()["size"] == {"rows": 22}


def test_options_behind_a_link_are_read_again_and_links_to_nowhere_are_none(composed, tmp_path_factory):
    folder, read = composed
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "here.yaml").write_text("rows: 3\n")
    (folder / "linked").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(folder)
    (folder / "size/.#small.yaml").symlink_to("somebody@host.1234")
    (folder / "main.yaml").write_text("defaults: [linked: here, _self_]\n")
    assert read() == {"linked": {"rows": 3}}
    (elsewhere / "here.yaml").write_text("rows: 22\n")
    assert read() == {"linked": {"rows": 22}}


def test_a_file_that_is_not_there_is_told_in_hydras_words(composed):
    _, read = composed
    with pytest.raises(MissingConfigException, match="Could not find 'size/large'"):
        read("size=large")


def test_hydra_may_register_its_own_beside_it_as_in_a_launchers_process():
    remembered.remember()
    registry = SourcesRegistry.instance()
    registry.register(remembered.hydras.FileConfigSource)
    assert registry.resolve("file") is remembered.FileConfigSource


def test_a_copy_of_the_place_to_look_shares_the_one_store_of_schemas():
    remembered.remember()
    store = ConfigStore.instance()
    store.store(name="toy", node={"rows": [1]})
    handed_out = store.load("toy.yaml")
    handed_out.node.rows.append(2)
    assert deepcopy(store) is store
    assert store.load("toy.yaml").node.rows == [1]


def test_options_are_merged_once_for_all_values_that_are_set(composed, monkeypatch):
    _, read = composed
    first = read("size.rows=5")
    monkeypatch.setattr(remembered, "_merge", lambda *_: pytest.fail("merged again"))
    monkeypatch.setattr(remembered, "create_defaults_list", lambda *_: pytest.fail("chosen again"))
    assert (first, read("seed=3")) == ({"size": {"rows": 5}, "seed": 0}, {"size": {"rows": 1}, "seed": 3})
    with pytest.raises(pytest.fail.Exception, match="chosen again"):
        read("size=large")


def test_an_option_that_has_appeared_is_found(composed):
    folder, read = composed
    with pytest.raises(MissingConfigException):
        read("size=large")
    read()
    (folder / "main.yaml").write_text("defaults: [size: small, optional extra: more, _self_]\nseed: 0\n")
    assert read() == {"size": {"rows": 1}, "seed": 0}
    (folder / "extra").mkdir()
    (folder / "extra/more.yaml").write_text("here: true\n")
    assert read() == {"size": {"rows": 1}, "extra": {"here": True}, "seed": 0}


def test_a_schema_that_is_stored_anew_is_the_one_that_counts(composed):
    folder, read = composed
    (folder / "main.yaml").write_text("defaults: [toy, size: small, _self_]\n")
    for rows in (1, 2):
        ConfigStore.instance().store(name="toy", node={"toys": rows})
        assert read() == {"toys": rows, "size": {"rows": 1}}


def test_a_choice_that_is_left_open_is_skipped_by_a_sweep_alone(composed):
    folder, _ = composed
    (folder / "main.yaml").write_text('defaults: [{size: "???"}, _self_]\nseed: 0\n')
    with initialize_config_dir(str(folder), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        for _ in range(2):
            assert loader.load_configuration("main", [], run_mode=RunMode.MULTIRUN).seed == 0
            with pytest.raises(ConfigCompositionException, match="must specify 'size'"):
                loader.load_configuration("main", [], run_mode=RunMode.RUN)
