"""Does a variant help or hurt? The statistics of an ablation, from predictions alone.

**Model.** S seeds and G test dialogues are crossed random effects: every seed's model reads every dialogue. This is
the multi-reader multi-case design of diagnostic imaging (Obuchowski & Rockette 1995) with seeds as readers and
dialogues as cases. The verdict is meant for new seeds and new dialogues, so both must be in the error.

**Effect.** The mean over paired seeds of score(variant, seed) - score(control, seed), on the same dialogues.

**Variance.** A paired hierarchical bootstrap over seeds and dialogues that draws n - 1 of n units at each level,
which makes a mean's bootstrap variance the unbiased one (Rao & Wu 1988; Hesterberg 2015). The effect is linear in
the seeds' weights, so the seed level is worked out in closed form (what endless draws would give) and only dialogues
are drawn. The bootstrap's variance falls into three parts, V_seed + V_dialogue + V_interaction, of which the first
two each already hold the seed x dialogue interaction once: taken whole, it counts the interaction three times
(Owen 2007). The variance used here counts it once: V_seed + max(V_dialogue - V_interaction, 0) (Obuchowski &
Rockette 1995; Hillis 2007; two-way clustering in Cameron, Gelbach & Miller 2011).

**Folds.** In a study in folds each seed's predictions are those of F trainings, pooled: every dialogue is tested once.
Dialogues of a fold share a training set, and perhaps speakers, so whole folds are drawn in the same way as dialogues
are; V_fold is what that variance, its interaction with the seeds taken out, exceeds the dialogues' by, or 0.

**Interval and p-value.** With few seeds V_seed is itself uncertain, so both rest on Student's t: S - 1 degrees of
freedom for the seeds' part, G - 1 for the dialogues', F - 1 for the folds'. They are joined by Cochran & Cox's
approximation: the critical value is the mean of the t quantiles, weighted by their parts of the variance.
Satterthwaite's single number of
degrees of freedom is too liberal here, because it grows when V_seed is small by chance: at Holm's first threshold,
.05 / 6, it rejects up to 1.8 (five seeds) and 3.9 times (three seeds) as often as promised on normal effects.
Cochran & Cox's keeps the level with three seeds or more and is conservative where both parts matter; with two seeds
the family-wise error reaches about .075. `simulated_studies` measures it.

**Verdict.** Holm's step-down over the variants; helps or hurts when the adjusted p-value is below alpha. Intervals
are per comparison, not simultaneous: one may exclude zero while the verdict is inconclusive.

**Equivalence.** Only against a margin that was stated beforehand: two one-sided tests (Schuirmann 1987) with the
same variance and critical value, corrected over the variants by Holm as a family of its own. Equivalent when the
adjusted p-value is below alpha and the difference itself is not decided; the interval of confidence 1 - 2 alpha of such
a variant lies within the margin.

References:
    Cameron, Gelbach & Miller (2011). Robust inference with multiway clustering. J. Bus. Econ. Stat. 29, 238-249.
    Cochran & Cox (1950). Experimental Designs. Wiley.
    Hesterberg (2015). What teachers should know about the bootstrap. The American Statistician 69, 371-386.
    Hillis (2007). A comparison of denominator degrees of freedom methods for multiple observer ROC analysis.
    Statistics in Medicine 26, 596-619.
    Holm (1979). A simple sequentially rejective multiple test procedure. Scand. J. Statistics 6, 65-70.
    Obuchowski & Rockette (1995). Hypothesis testing of diagnostic accuracy for multiple readers and multiple tests.
    Communications in Statistics - Simulation and Computation 24, 285-308.
    Owen (2007). The pigeonhole bootstrap. Annals of Applied Statistics 1, 386-411.
    Rao & Wu (1988). Resampling inference with complex survey data. J. Am. Stat. Assoc. 83, 231-241.
    Schuirmann (1987). A comparison of the two one-sided tests procedure and the power approach for assessing the
    equivalence of average bioavailability. J. Pharmacokinetics and Biopharmaceutics 15, 657-680.
"""

from fmerl_platform.statistics.crossed import CrossedMean, planned_power
from fmerl_platform.statistics.estimate import Estimate, estimate, estimates
from fmerl_platform.statistics.paired import PairedScores, paired_with
from fmerl_platform.statistics.scores import (
    SCORES,
    UNANSWERED,
    CellPredictions,
    Metric,
    Score,
    accuracy,
    balanced_accuracy,
    class_f1,
    class_precision,
    class_recall,
    confusion_by_dialogue,
    macro_f1,
    weighted_f1,
)
from fmerl_platform.statistics.verdict import (
    Comparison,
    PairedEffect,
    Verdict,
    compare,
    holm,
    judge,
    sign_flip_p_value,
)

__all__ = [
    "SCORES",
    "UNANSWERED",
    "CellPredictions",
    "Comparison",
    "CrossedMean",
    "Estimate",
    "Metric",
    "PairedEffect",
    "PairedScores",
    "Score",
    "Verdict",
    "accuracy",
    "balanced_accuracy",
    "class_f1",
    "class_precision",
    "class_recall",
    "compare",
    "confusion_by_dialogue",
    "estimate",
    "estimates",
    "holm",
    "judge",
    "macro_f1",
    "paired_with",
    "planned_power",
    "sign_flip_p_value",
    "weighted_f1",
]
