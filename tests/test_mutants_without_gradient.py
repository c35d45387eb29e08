"""Break on purpose what has no gradient; the ordinary tests must notice each time.

A mutant is a function, a method or a constant of the package, addressed by its name, with one piece of its source
replaced. It is put into the package itself, the tests of `KILLERS` are called one after the other until one fails, and
what was there comes back. Kernels run without compilation, with blocks so short that their borders lie inside the
problems. The score is printed by `pytest -s`; one survivor fails.
"""
import ast
import contextlib
import importlib
import io
import itertools
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path

import numba
import numpy as np
import pytest
import test_numbers_shown
import test_published
from bench import test_sections as test_bench
from cli import test_commands as test_command_line
from cli import test_finished_run as test_runs
from data import test_data, test_data_own
from data import test_download as test_data_files
from mutants_without_gradient import MUTANTS
from networks import test_layers
from networks import test_papers as test_architectures
from ops import test_baselines, test_batchnorm, test_dropout, test_forward_values, test_linear
from ops import test_bounds as test_memory
from tasks import test_characters
from tasks import test_task as test_obvious_task
from test_mutants import SMALL
from training import test_checkpoint, test_optim, test_schedules, test_training
from training import test_dynamic_evaluation as test_dynamic
from training import test_run as test_obvious_run

from minindrnn.ops import linear, recurrence_kernels

# {module: the tests that say what it should do, narrow ones first}; a test module stands for all of its tests. All are
# imported here, before anything is broken.
RUN, TASK, VALUES = test_obvious_run, test_obvious_task, test_forward_values
PUBLISHED, NUMBERS = test_published, test_numbers_shown
KILLERS = {
    "training.optim": [test_optim],
    "training.schedules": [
        test_schedules, RUN.test_after_a_plateau_the_best_goes_on,
        RUN.test_where_the_last_plateau_ends_the_best_is_kept],
    "ops.bounds": [
        test_memory.test_the_papers_constants, test_memory.test_half_life_halves,
        test_memory.test_the_penalty_is_the_length_of_what_exceeds_on_either_side,
        test_memory.test_the_penalty_is_zero_inside_the_bound,
        test_memory.test_projection_touches_recurrent_weights_only, RUN.test_twelve_updates_are_those_of_the_loop],
    "training.step": [
        RUN.test_twelve_updates_are_those_of_the_loop, RUN.test_states_go_on_from_batch_to_batch_and_start_anew,
        RUN.test_the_step_alone_is_clipped_to_ten_and_bounds_u_only_if_asked],
    "training.run": [
        RUN, test_training.test_parameters_that_are_not_finite_are_never_saved,
        test_training.test_a_crash_between_metrics_and_checkpoint_leaves_no_row_behind],
    "training.checkpoint": [
        test_checkpoint.test_what_is_saved_is_loaded, test_checkpoint.test_what_is_restored_is_all_of_it_and_in_place,
        test_checkpoint.test_a_mismatch_changes_nothing, test_checkpoint.test_it_is_on_the_disk_before_it_has_its_name,
        test_checkpoint.test_a_failed_renaming_leaves_no_rubbish_and_names_the_file,
        test_checkpoint.test_nothing_that_a_file_holds_is_executed,
        test_checkpoint.test_foreign_files_are_refused_by_name],
    "core.atomic_file": [
        test_checkpoint.test_it_is_on_the_disk_before_it_has_its_name,
        test_checkpoint.test_a_failed_renaming_leaves_no_rubbish_and_names_the_file],
    "ops.batchnorm": [
        test_layers.test_every_parameter_has_the_role_of_its_name, test_batchnorm,
        test_layers.test_step_by_step_equals_one_pass_and_needs_no_more_memory, VALUES.test_batch_normalisation],
    "training.population_statistics": [test_dynamic],
    "training.dynamic_evaluation": [test_dynamic],
    "tasks.classification": [
        PUBLISHED.test_settings, TASK, test_runs.test_every_sequence_is_answered_once,
        NUMBERS.test_predictions_are_the_likeliest_class_with_its_probability, PUBLISHED.test_what_a_run_is_made_of,
        PUBLISHED.test_where_the_weights_of_a_task_start],
    "tasks.digits": [
        PUBLISHED.test_settings, PUBLISHED.test_what_a_run_is_made_of, PUBLISHED.test_where_the_weights_of_a_task_start,
        test_runs.test_digits_as_they_are_in_the_package_and_as_they_are_read],
    "tasks.mnist": [
        PUBLISHED.test_settings, PUBLISHED.test_what_a_run_is_made_of, PUBLISHED.test_where_the_weights_of_a_task_start,
        test_runs.test_names_scales_and_the_order_of_pixels],
    "tasks.motion": [PUBLISHED.test_settings, TASK.test_what_is_counted_is_called_by_its_name],
    "tasks.user_file": [TASK],
    "tasks.task": [
        PUBLISHED.test_settings, TASK, PUBLISHED.test_what_a_run_is_made_of, PUBLISHED.test_a_plateau_that_is_asked_for,
        PUBLISHED.test_where_the_weights_of_a_task_start],
    "tasks.models": [
        PUBLISHED.test_where_the_weights_of_a_task_start, PUBLISHED.test_every_unit_has_the_activation_that_is_asked_for,
        PUBLISHED.test_what_a_run_is_made_of, TASK],
    "tasks.registry": [PUBLISHED.test_settings, PUBLISHED.test_what_is_given_comes_before_what_is_usual],
    "tasks.adding": [
        PUBLISHED.test_settings, TASK.test_adding_is_tested_on_numbers_of_its_own, NUMBERS.test_sums_are_answered_beside_what_they_are,
        NUMBERS.test_sums_of_any_length_are_read_to_their_end,
        TASK.test_statistics_of_the_adding_problem_are_those_of_twenty_batches,
        test_command_line.test_where_a_run_goes_if_nobody_says,
        PUBLISHED.test_what_a_run_is_made_of, PUBLISHED.test_where_the_weights_of_a_task_start],
    "tasks.characters": [
        PUBLISHED.test_settings, TASK.test_bits_are_nats_over_the_logarithm_of_two,
        TASK.test_what_is_said_is_drawn_from_the_softmax_at_that_temperature,
        TASK.test_segments_follow_each_other_and_start_anew_one_time_in_ten,
        TASK.test_a_text_is_read_from_many_places_ten_segments_apart, PUBLISHED.test_where_the_weights_of_a_task_start,
        PUBLISHED.test_texts_have_statistics_for_every_step_of_two_segments_and_the_rest,
        PUBLISHED.test_what_a_run_is_made_of, PUBLISHED.test_a_plateau_that_is_asked_for,
        test_characters.test_irnn_begins_with_a_short_memory,
        test_characters.test_every_character_but_the_first_is_asked_once,
        test_characters.test_a_rate_that_is_too_high_for_the_whole_validation_is_halved_before_the_test,
        test_characters.test_a_network_that_goes_on_learning_says_more],
    "networks.stacked": [
        PUBLISHED.test_where_the_weights_of_a_task_start, PUBLISHED.test_where_the_weights_of_the_named_networks_start],
    "networks.residual": [
        PUBLISHED.test_where_the_weights_of_a_task_start,
        PUBLISHED.test_the_last_unit_of_a_residual_network_alone_starts_with_long_memory,
        PUBLISHED.test_the_named_networks_place_by_place, PUBLISHED.test_where_the_weights_of_the_named_networks_start],
    "networks.dense": [
        PUBLISHED.test_the_named_networks_place_by_place, PUBLISHED.test_where_the_weights_of_the_named_networks_start,
        test_architectures.test_parameter_counts_are_those_of_the_published_logs],
    "networks.papers": [
        PUBLISHED.test_texts_have_statistics_for_every_step_of_two_segments_and_the_rest,
        PUBLISHED.test_the_named_networks_place_by_place, PUBLISHED.test_where_the_weights_of_the_named_networks_start,
        test_architectures.test_parameter_counts_are_those_of_the_published_logs],
    "ops.linear": [
        test_layers.test_every_parameter_has_the_role_of_its_name, VALUES.test_linear,
        test_linear.test_what_is_asked_of_the_generator, test_linear.test_where_weights_start,
        PUBLISHED.test_where_the_weights_of_a_task_start],
    "ops.lstm": [VALUES.test_baselines, test_baselines.test_where_they_start],
    "ops.gru": [VALUES.test_baselines],
    "ops.rnn": [
        test_layers.test_every_parameter_has_the_role_of_its_name, VALUES.test_baselines,
        VALUES.test_rnn_with_other_activations, test_baselines.test_where_they_start,
        PUBLISHED.test_where_the_weights_of_a_task_start],
    "ops.recurrence": [VALUES.test_indrnn],
    "ops.recurrence_kernels": [VALUES.test_indrnn],
    "ops.activations": [VALUES.test_indrnn],
    "networks.indrnn": [
        test_layers.test_every_parameter_has_the_role_of_its_name,
        test_layers.test_every_normalisation_absorbs_what_it_has_seen, VALUES.test_an_indrnn_layer,
        test_batchnorm.test_a_unit_in_use_is_normalised_with_the_row_of_its_step,
        test_layers.test_step_by_step_equals_one_pass_and_needs_no_more_memory,
        PUBLISHED.test_where_the_weights_of_a_task_start],
    "networks.fused": [
        VALUES.test_indrnn, VALUES.test_an_indrnn_layer,
        test_layers.test_step_by_step_equals_one_pass_and_needs_no_more_memory],
    "networks.combinators": [
        test_layers.test_every_normalisation_absorbs_what_it_has_seen, VALUES.test_a_residual_and_a_concatenated_unit,
        VALUES.test_a_language_model, VALUES.test_the_last_step_of_each_sequence,
        test_layers.test_a_block_in_use_tells_its_layer_which_step_it_is,
        test_layers.test_a_chain_writes_over_no_gradient_that_is_not_its_own,
        test_layers.test_step_by_step_equals_one_pass_and_needs_no_more_memory,
        RUN.test_twelve_updates_are_those_of_the_loop, RUN.test_states_go_on_from_batch_to_batch_and_start_anew],
    "networks.bidirectional": [
        test_layers.test_every_normalisation_absorbs_what_it_has_seen, VALUES.test_both_directions,
        test_layers.test_both_directions_know_their_state_and_statistics],
    "ops.layernorm": [test_layers.test_every_parameter_has_the_role_of_its_name, VALUES.test_layer_normalisation],
    "ops.embedding": [
        test_layers.test_every_parameter_has_the_role_of_its_name, VALUES.test_embedding,
        PUBLISHED.test_where_the_weights_of_the_named_networks_start],
    "ops.deltas": [VALUES.test_differences, VALUES.test_the_last_step_of_each_sequence],
    "ops.dropout": [
        VALUES.test_dropout, VALUES.test_an_indrnn_layer,
        test_dropout.test_a_mask_follows_from_one_number_of_the_generator, test_dropout.test_so_many_are_left_out,
        test_dropout.test_the_numbers_are_those_of_the_published_generator],
    "ops.losses": [VALUES.test_mean_squared_error, VALUES.test_cross_entropy],
    "networks.language_model": [
        test_layers.test_every_normalisation_absorbs_what_it_has_seen, VALUES.test_a_language_model,
        test_dynamic.test_dynamic_evaluation_is_the_loop_that_carries_its_state,
        test_architectures.test_a_small_language_model_of_each_kind_trains_with_the_state_carried],
    "core.layer": [test_optim, test_layers.test_reset_starts_some_sequences_anew],
    "core.padding": [VALUES.test_padding_is_taken_out, VALUES.test_the_last_step_of_each_sequence],
    "data.adding": [test_data.test_adding_has_one_mark_in_each_half],
    "data.digits": [
        TASK.test_the_digits_are_always_divided_alike, test_data.test_digits_are_all_there_once,
        test_data.test_digits_are_split_by_class_and_always_the_same],
    "data.download": [TASK.test_a_file_is_known_by_its_whole_hash, TASK.test_where_data_is_looked_for,
                      test_data_files.test_each_way_is_tried_twice_and_none_is_waited_for_for_ever],
    "data.mnist": [TASK.test_images_are_held_out_by_the_seed, test_data_own.test_idx_is_what_it_says],
    "data.motion": [
        TASK.test_recordings_are_those_of_the_file, TASK.test_people_are_divided_by_the_fold,
        test_data_own.test_windows_overlap_by_half],
    "data.user_file": [
        TASK.test_the_parts_of_ones_own_are_those_of_the_seed, test_data_own.test_padded_puts_zeros_after_each_end,
        test_data_own.test_neither_padding_nor_the_order_of_the_file_makes_a_difference],
    "data.text": [TASK.test_a_text_is_divided_ninety_to_five_to_five],
    "cli.finished_run": [
        TASK.test_the_best_is_the_highest_accuracy_and_the_lowest_loss,
        TASK.test_fewer_bits_are_better_and_the_last_is_the_last, TASK.test_memory_is_drawn_beside_where_it_began,
        TASK.test_recurrent_weights_are_those_of_the_network,
        test_runs.test_the_network_at_the_start_is_the_one_that_was_trained],
    "cli.plots": [NUMBERS],
    "checks.gradient_flow": [NUMBERS.test_norms_of_gradients_are_those_of_the_chain_rule],
    "cli.parser": [PUBLISHED.test_every_word_of_the_command_reaches_the_run],
    "cli.commands": [
        TASK.test_the_result_is_that_of_the_network_in_the_checkpoint,
        PUBLISHED.test_every_word_of_the_command_reaches_the_run,
        NUMBERS.test_gradients_are_those_of_the_seed_at_the_last_and_the_first,
        NUMBERS.test_gradients_are_checked_on_so_many_problems_of_the_seed,
        test_command_line.test_where_a_run_goes_if_nobody_says,
        TASK.test_a_figure_asks_for_every_model_at_every_length],
    "bench.sections": [test_bench.test_every_number_is_what_its_unit_says],
}


# ---------------------------------------------------------------------------------------------------------
# Tests, called

FIXTURES = {"drawn": lambda stack: test_numbers_shown.caught(FIXTURES["monkeypatch"](stack)),
            "rng": lambda stack: np.random.default_rng(0),
            "small": lambda stack: test_bench.shrink(FIXTURES["monkeypatch"](stack)),
            "tmp_path": lambda stack: Path(stack.enter_context(tempfile.TemporaryDirectory())),
            "monkeypatch": lambda stack: stack.enter_context(pytest.MonkeyPatch.context()),
            "path": lambda stack: test_checkpoint.written(FIXTURES["tmp_path"](stack))}


def cases(test):
    """(number, name, call) for every set of parameters of a test; none if it is skipped, or draws from Hypothesis."""
    marks = getattr(test, "pytestmark", [])
    if hasattr(test, "hypothesis") or any(mark.name == "skipif" and mark.args[0] for mark in marks):
        return
    tables = []
    for mark in marks:
        if mark.name == "parametrize":
            names = [name.strip() for name in mark.args[0].split(",")]
            rows = [row.values if isinstance(row, type(pytest.param())) else row if len(names) > 1 else (row,)
                    for row in mark.args[1]]
            tables.append([dict(zip(names, row)) for row in rows])
    wanted = test.__code__.co_varnames[:test.__code__.co_argcount]
    for number, chosen in enumerate(itertools.product(*tables)):
        given = {name: value for table in chosen for name, value in table.items()}
        missing = [name for name in wanted if name not in given]
        if not set(missing) <= FIXTURES.keys():
            return

        def call(given=given, missing=missing):
            with contextlib.ExitStack() as stack:
                test(**given, **{name: FIXTURES[name](stack) for name in missing})
        yield number, f"{test.__name__}[{number}]" if tables else test.__name__, call


@cache
def killers(module):
    """(number, name, call) for a module of the package. Where a whole test module stands, of each test the first set of
    parameters comes first, then of each the second, ..."""
    found = []
    for entry in KILLERS[module]:
        inside = [test for name, test in vars(entry).items() if name.startswith("test_")]
        tests = inside if hasattr(entry, "__file__") else [entry]
        found += sorted((case for test in tests for case in cases(test)), key=lambda case: case[0])
    assert found, module
    return found


def killed_by(module, sets=1000):
    """The first test that fails, with one of its first so many sets of parameters, and what it says; None if all pass.
    A name that is not there is a mistake in a mutant."""
    quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    with quiet[0], quiet[1], np.errstate(all="ignore"):
        for number, name, call in killers(module):
            try:
                number >= sets or call()
            except pytest.skip.Exception:
                pass
            except (NameError, ImportError, SyntaxError):
                raise
            except (Exception, SystemExit, pytest.fail.Exception) as error:
                said = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
                return f"{name}: {said[0]}"
    return None


# ---------------------------------------------------------------------------------------------------------
# Mutants, put in and taken out

KERNELS = {"kernel", "inlined", "reordered", "unfused"}
TABLES, MAKERS = (("ops.rnn", "KERNELS"),), ("forward_kernel", "backward_kernel")


def place(where):
    """The module, the path of the name in it, its line and the node of the tree."""
    parts = where.split(".")
    module, path = importlib.import_module("minindrnn." + ".".join(parts[:2])), parts[2:]
    node = ast.parse(Path(module.__file__).read_text())
    for name in path:
        node = next(child for child in node.body if name in named(child))
    return module, path, node


def named(node):
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
    return names | {getattr(node, "name", None)}


def changed(module, node, old, new):
    """The node again, with old replaced by new in its source."""
    first = min([node.lineno] + [decorator.lineno for decorator in getattr(node, "decorator_list", [])])
    source = "".join(Path(module.__file__).read_text().splitlines(keepends=True)[first - 1:node.end_lineno])
    count = source.count(old)
    assert not old or count == 1, f"{old!r} stands {count} times in {'/'.join(filter(None, named(node)))}"
    made, = ast.parse(textwrap.dedent(source.replace(old, new) if old else source)).body
    if hasattr(made, "decorator_list"):
        made.decorator_list = []
    return made


def executed(made, module, classes=()):
    """{name: what it is} of a definition that belongs into these classes of the module, whose names it sees."""
    for name in classes:
        made = ast.ClassDef(name, [], [], [made], [], **({"type_params": []} if sys.version_info >= (3, 12) else {}))
    found = {}
    exec(compile(ast.fix_missing_locations(ast.Module([made], [])), module.__file__, "exec"), vars(module), found)
    for name in classes:
        found = dict(vars(found[name]))
    return found


@contextlib.contextmanager
def mutated(where, old="", new=""):
    """Within, the name means the changed source, wherever the package has it; yields whether it is a kernel."""
    module, path, node = place(where)
    made = changed(module, node, old, new)
    owner = module if len(path) == 1 else getattr(module, path[0])
    found = executed(made, module, path[:-1])
    with pytest.MonkeyPatch.context() as patched:
        if not isinstance(node, ast.FunctionDef):
            for name in named(node) - {None}:
                patched.setattr(owner, name, found[name])
            yield False
            return
        target, fresh = vars(owner)[path[-1]], found[path[-1]]
        for inside in ("fget", "py_func", "__wrapped__"):    # of a property; a kernel; a static or a context manager
            target = getattr(target, inside, target)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):
            patched.setattr(target, name, getattr(fresh, name))
        marks = {decorator.id for inner in ast.walk(node) for decorator in getattr(inner, "decorator_list", [])
                 if isinstance(decorator, ast.Name)}
        yield bool(marks & KERNELS)


@contextlib.contextmanager
def uncompiled():
    """Within, every kernel of the package is the Python function that it is made of."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(numba.config, "DISABLE_JIT", 1)
        package = [module for name, module in sys.modules.items() if name.startswith("minindrnn") and "gpu" not in name]
        for module, (name, value) in [(module, pair) for module in package for pair in list(vars(module).items())]:
            if hasattr(value, "py_func"):
                patched.setattr(module, name, value.py_func)
        for name in MAKERS:                              # of kernels that are made when they are first asked for
            patched.setattr(recurrence_kernels, name, cache(getattr(recurrence_kernels, name).__wrapped__))
        for module in (recurrence_kernels, linear):
            for name in SMALL.keys() & vars(module).keys():
                patched.setattr(module, name, SMALL[name])
        for name, table in TABLES:
            module, _, node = place(f"{name}.{table}")
            for key, value in executed(node, module)[table].items():
                patched.setitem(getattr(module, table), key, value)
        yield


def verdict(where, old="", new=""):
    module = ".".join(where.split(".")[:2])
    with mutated(where, old, new) as of_kernel, uncompiled() if of_kernel else contextlib.nullcontext():
        return killed_by(module)


MODULES = sorted({".".join(where.split(".")[:2]) for where, *_ in MUTANTS})


@pytest.mark.parametrize("module", MODULES)
def test_an_unchanged_copy_survives(module):
    """All that mutants are made of in the module, taken out and put in again: one set of parameters of each test; all of
    them where there are kernels, which then run without compilation."""
    with contextlib.ExitStack() as stack:
        places = {where for where, *_ in MUTANTS if ".".join(place(where)[0].__name__.split(".")[1:]) == module}
        kernels = [stack.enter_context(mutated(where)) for where in sorted(places)]
        stack.enter_context(uncompiled() if any(kernels) else contextlib.nullcontext())
        assert killed_by(module, 1000 if any(kernels) else 1) is None


def test_every_mutant_is_killed():
    verdicts = {f"{where}: {fault}": verdict(where, old, new) for where, fault, old, new in MUTANTS}
    assert len(verdicts) == len(MUTANTS)
    print(f"\nmutants killed: {sum(map(bool, verdicts.values()))} of {len(verdicts)}")
    for fault, said in verdicts.items():
        print(f"  {fault:<78} {said or 'SURVIVED'}"[:190])
    assert [fault for fault, said in verdicts.items() if not said] == []
