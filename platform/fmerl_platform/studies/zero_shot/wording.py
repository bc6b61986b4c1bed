"""Sentences of a zero-shot report: findings and notes."""

from __future__ import annotations

import math

from fmerl_platform.report.numbers import NONE, mean_sd, percent, seeds
from fmerl_platform.studies.wording import missing_notes, missing_sentence, supervised_warning
from fmerl_platform.studies.zero_shot.analysis import Spread, ZeroShotAnalysis, ZeroShotRow
from fmerl_platform.studies.zero_shot.scores import UNSEEN_ACCURACY

FEWEST_DIALOGUES = 10
"""Fewest dialogues with an unseen utterance for resampling to say something of unseen classes."""


def warning_of(analysis: ZeroShotAnalysis) -> str:
    """Warning about supervised features; empty where their cards rule it out."""
    if not analysis.supervised:
        return ""
    return supervised_warning(analysis.results.corpus, analysis.supervised, analysis.unseen)


def zero_shot_finding(analysis: ZeroShotAnalysis) -> str:
    """Summary of the unseen utterances' fate, in two to four sentences."""
    corpus, control = analysis.results.corpus, analysis.control
    if control is None:
        return f"On {corpus}, no cell of {analysis.results.control} finished."
    unseen = " and ".join(analysis.unseen)
    sentences = [
        f"On {corpus}, {control.name} never learned {unseen} and gives {_score(control, UNSEEN_ACCURACY)} % of its "
        f"{control.n_unseen} test utterances the right class, over {seeds(control.scores[UNSEEN_ACCURACY].n_seeds)}; "
        f"{percent(control.scores['unseen_as_seen'].mean)} % of them are given a seen class.",
        f"On the whole test set it reaches {_score(control, 'weighted_f1')} weighted F1.",
    ]
    if (calibrated := analysis.calibrated) is not None:
        sentences.append(
            f"Calibrated stacking, tuned on {analysis.pseudo_unseen}, moves unseen accuracy to "
            f"{_score(calibrated, UNSEEN_ACCURACY)} and seen accuracy from {_score(control, 'seen_accuracy')} to "
            f"{_score(calibrated, 'seen_accuracy')}."
        )
    return " ".join([*sentences, *missing_sentence(analysis.results)])


def zero_shot_notes(analysis: ZeroShotAnalysis) -> tuple[str, ...]:
    """Foot notes of Table 2."""
    unseen = ", ".join(analysis.unseen)
    kept = "stay in their dialogues as context" if analysis.utterances == "context" else "are deleted from them"
    notes = [
        f"Unseen: {unseen}. No label or score of it reaches training, statistics or selection; its utterances {kept}. "
        "All classes are candidates.",
        "In percent, mean ± sd (ddof = 1) over n seeds. Unseen accuracy r and unseen w-F1 are on the unseen utterances "
        "alone, where w-F1 of a single class is 2r / (1 + r). One-vs-rest F1 counts false alarms on others as well.",
        "95% intervals are for new seeds and new dialogues; of one seed for new dialogues only.",
    ]
    if warning := warning_of(analysis):
        notes.insert(0, warning)
    few = [row.name for row in analysis.rows if row.unseen_dialogues < FEWEST_DIALOGUES]
    if few:
        notes.append(
            f"No interval of an unseen score where fewer than {FEWEST_DIALOGUES} test dialogues have an unseen "
            f"utterance: {', '.join(few)}."
        )
    if analysis.closed_set:
        names = ", ".join(analysis.closed_set)
        notes.append(f"Know their training classes only, so that an unseen one is out of their reach: {names}.")
    notes += _model_notes(analysis)
    notes += _published_notes(analysis)
    return (*notes, *missing_notes(analysis.results))


def bias_notes(analysis: ZeroShotAnalysis) -> tuple[str, ...]:
    """Foot notes of the table of the bias towards seen classes."""
    notes = [
        "Accuracies are shares of utterances. AUSUC: area under seen over unseen accuracy for every constant taken "
        "from the seen classes' scores (Chao et al. 2016), 1 at best; uninformed: of scores that do not tell unseen "
        "utterances from others.",
        "Median lead: how far an unseen utterance's best seen class lies above its best unseen one, in cosines; with "
        "that constant half of them would be given an unseen class. It describes the test set and sets nothing.",
    ]
    if analysis.calibrated is not None:
        notes.append(
            "Calibrated: the constant is tuned on validation in a second cell per seed, for which "
            f"{analysis.pseudo_unseen} is unseen too (the seen class of median frequency in train); no unseen label "
            "takes part. Uncalibrated numbers are the headline."
        )
    return tuple(notes)


def comparison_notes(analysis: ZeroShotAnalysis) -> tuple[str, ...]:
    """Foot notes of the table of differences."""
    control = analysis.results.control
    notes = [
        f"Points against {control} on the test utterances that both were asked, paired by seed; 95% intervals are for "
        "new seeds and new dialogues. Holm p: of the difference in unseen accuracy, adjusted over these rows."
    ]
    single = [row.name for row in analysis.rows if row.single_run]
    if single:
        notes.append(f"One run, taken as it is beside each seed of {control}: {', '.join(single)}.")
    return tuple(notes)


def spread(value: Spread | None) -> str:
    """Mean ± sd with three decimals; a dash where there is none."""
    if value is None or math.isnan(value.mean):
        return NONE
    mean = f"{value.mean:.3f}".replace("-", "−")
    return mean if math.isnan(value.sd) else f"{mean} ± {value.sd:.3f}"


def _score(row: ZeroShotRow, name: str) -> str:
    return mean_sd(row.scores[name].mean, row.scores[name].sd)


def _model_notes(analysis: ZeroShotAnalysis) -> list[str]:
    notes = [
        f"{row.name}: on {row.n_utterances} test utterances, {row.n_unseen} of them unseen; {row.left_out} others were "
        "not asked."
        for row in analysis.rows
        if row.left_out
    ]
    notes += [
        f"{row.name}: {row.unanswered} answers name no class and count as wrong."
        for row in analysis.rows
        if row.unanswered
    ]
    return [*notes, *(f"Not shown: {reason}." for reason in analysis.refused)]


def _published_notes(analysis: ZeroShotAnalysis) -> list[str]:
    if not analysis.published:
        return []
    notes = ["Paper: Table 2 of the FMERL paper, on its features of three modalities; no deviations."]
    if analysis.results.corpus == "iemocap":
        fmerl = analysis.published["FMERL"]
        rate = fmerl.unseen_accuracy / 100
        notes.append(
            f"The paper's unseen F1 is 2r / (1 + r) of its accuracy r in every row but FMERL's on IEMOCAP: "
            f"{fmerl.unseen_accuracy:.2f} would give {200 * rate / (1 + rate):.2f}, and it prints "
            f"{fmerl.unseen_weighted_f1:.2f}."
        )
    return notes
