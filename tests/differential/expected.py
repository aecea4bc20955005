"""Differences from the baseline that are intended."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from tests.differential.compare import Difference


@dataclass(frozen=True, slots=True)
class Expected:
    """Globs of a case, a file and a key, and why they differ.

    Attributes:
        case: globs with commas between them, as the option --only; `file` too.
        within: greatest difference of two numbers, relative to 1 or to the larger of them; None:
            whatever differs.
    """

    case: str
    file: str
    key: str
    reason: str
    within: float | None = None

    def matches(self, found: Difference) -> bool:
        """Whether it explains a difference."""
        return (
            any(fnmatchcase(found.case, glob) for glob in self.case.split(","))
            and any(fnmatchcase(found.file, glob) for glob in self.file.split(","))
            and fnmatchcase(found.key, self.key)
            and (self.within is None or _close(found.old, found.new, self.within))
        )


def _close(old: str, new: str, within: float) -> bool:
    try:
        left, right = float(old), float(new)
    except ValueError:
        return False
    return abs(left - right) <= within * max(1.0, abs(left), abs(right))


MADE_ANEW = "the id of a simulated data set is a hash of the simulator: its runs are made anew"
LISTED = f"{MADE_ANEW}; a sweep's record lists its runs by id"
NETWORK = (
    "architecture.json and architecture.csv are Lightning's summary; old files count as missing"
)
FINDINGS = "an ablation keeps its findings as findings.md; no CSV holds sentences"

FLOAT64 = "readings of files are float64 until they are calibrated: a score's last digits move"
ROUNDED = "float32 readings are written as the float64 values that they are"
TREES = f"{FLOAT64}; a tree splits between other neighbours"
SWITCH = f"{TREES}; validation F1 is as good at another threshold"
AUROC = "one kernel of AUROC sums in another order"
DAYS = "false alarms per device-day and per day of the fleet instead of per day of the wall clock"
CALIBRATED = "an exported network gets calibrated values: it has no inputs offset and scale"
STATE_2 = "the detector's state is version 2: float64, channels without their masks"
REFUSED = "a state of version 1 is refused; the stream goes on without it"
WORDS = "a reworded sentence"
NAMED = "a metric's name says how folds and series were put together"
POOLED = "decisions of a sweep are pooled over the folds of a repetition, as in every report"
PAIRED = "arms are compared by repetition, not by run"
SCORES = "AP and AUROC are computed from the scores in float64, not read as float32 from the run"
REASON = "tests.csv has a reason beside the verdict"
CAPTIONS = "captions and notes say how numbers were put together, and have other words"
METRICS = "AUROC and average precision stand before the counts"
ORDER = "rows of another metric first"

OPTIONS = "a run of a user's own model lost its options when it was opened, and was not exported"
CLOCK = "when a snapshot is taken, and so its number and step, depends on the wall clock"
LAST = 2e-6
"""Of scores and what is fitted on float64 instead of float32 readings."""

FILED = (
    "detect-*,old-detect-*,old-export,old-continue,error-corrupt-run,*-own,test-run,"
    "train-skab-*,train-own-runs,train-base,train-blocked,train-seed,train-json,train-deviation,"
    "train-lwsndr,train-ton-iot"
)
"""Cases whose data was read from files; what is simulated must not differ at all."""

READER = "one reader for imports and detect: files that were refused or misread are read"
FORMAT = "an imported set keeps the format of its file"
RECORDINGS = "data info lists each recording; it draws with --plot alone"
SOURCES = "data ls lists nab and smd"
SAMPLED = "an audit says how many windows of a fold train and test a probe"
ONE_FOLD = "a split that the data brings has one fold"
BUDGET = "an alarm budget is for all devices together, and at most 5 % of the steps"
UNJUDGED = "alarms in unlabelled time are counted by themselves"
GAPS = "blocks that gaps would leave without a window have equal numbers of steps"
HINTS = "a split that cannot be used names one that can"
BEGINS = "an import prints when its times begin and end"
FEWER = "an import warns if duplicates take many rows"
TOGETHER = "series that are labelled at the same times are warned of"

EXPECTED: tuple[Expected, ...] = (
    Expected("import-refused-decimal-comma", "*", "*", READER),
    Expected("*", "data/*/dataset.json", "format", FORMAT),
    Expected("info,info-ton-iot,import-*", "step ? stdout", "recordings", RECORDINGS),
    Expected("info", "step 2 stdout", "*", RECORDINGS),
    Expected("info", "step 4 stdout", "figures", RECORDINGS),
    Expected("ls,import-*", "step ? stdout", "length", SOURCES),
    Expected("audit-*", "step 1 stdout,runs/audit/*", "*rule", SAMPLED),
    Expected("audit-*", "step 2 stdout", "[[]1[68][]]", SAMPLED),
    Expected("import-kinds", "step 2 stdout", "warnings", TOGETHER),
    Expected(
        "*-own,detect-*,old-export,train-own-runs",
        "*/result.json,*.onnx,runs/audit/*",
        "*warnings",
        TOGETHER,
    ),
    Expected("detect-*,train-own-runs,*-own", "*/result.json", "folds", ONE_FOLD),
    Expected("sweep-own,search-own,old-sweep,old-search", "*", "*", ONE_FOLD),
    Expected("old-continue", "*/result.json", "folds", ONE_FOLD),
    Expected("old-continue", "*/result.json", "warnings", TOGETHER),
    Expected("old-own-data", "step 2 stdout", "warnings", TOGETHER),
    Expected("*", "step 1 stdout", "length", BEGINS),
    Expected("old-own-data", "step 1 stdout", "length", SOURCES),
    Expected("import-*", "step 1 stdout", "begins", BEGINS),
    Expected("import-*", "step 1 stdout", "ends", BEGINS),
    Expected("import-unsorted", "step ? stdout,*/dataset.json", "warnings", FEWER),
    Expected("detect-*,old-*", "step ? stdout", "fleet_days", UNJUDGED),
    Expected("old-world", "step 1 stdout", "figures", RECORDINGS),
    Expected("old-world,old-own-data", "step ? stdout", "recordings", RECORDINGS),
    Expected("reproduce-world", "*", "*", BUDGET),
    Expected("train-lwsndr", "*/result.json,*/scores.parquet,step 1 stdout", "*", BUDGET),
    Expected("train-blocked", "*", "*", GAPS),
    Expected("train-*", "step 1 stderr", "*", HINTS),
    Expected("simulate*", "*/figures/*", "exists", RECORDINGS),
    Expected("simulate*", "step ? stdout", "figures", RECORDINGS),
    Expected("simulate*", "step ? stdout", "recordings", RECORDINGS),
    Expected("simulate", "step 3 stdout", "length", RECORDINGS),
    Expected("search-*", "*/report.md", "table [1-9] Value[[]*", WORDS),
    Expected("test-run", "*/result.json", "folds", ONE_FOLD),
    Expected("test-run", "*/result.json", "warnings", TOGETHER),
    Expected("reproduce-own", "runs/audit/*", "rule", SAMPLED),
    Expected("detect-*,old-export", "*.onnx", "metadata.anomalynet.periods", FORMAT),
    Expected("detect-*,old-export", "*.onnx", "metadata.anomalynet.table", FORMAT),
    Expected("detect-*,old-*", "step ? stdout", "evaluation.unjudged", UNJUDGED),
    Expected("detect-autoencoder", "model.md", "table 7 other alarms[[]*", BUDGET),
    Expected("detect-autoencoder", "step 3 stdout", "files[[]*].alarms", BUDGET),
    Expected(
        "train-budget,train-*autoencoder,train-*isolation_forest",
        "*/result.json,*/scores.parquet,step 1 stdout",
        "*",
        BUDGET,
    ),
    Expected("*", "*", "*fingerprint", MADE_ANEW),
    Expected("sweep-only", "step 2 stdout", "*runs[[]*", LISTED),
    Expected("sweep-only", "runs/cnn_lstm/*", "id", LISTED),
    Expected("sweep-only", "runs/.sweeps/*", "runs[[]*", LISTED),
    Expected("*", "*/architecture.json", "*", NETWORK),
    Expected("*", "*/architecture.csv", "*", NETWORK),
    Expected("*", "*/architecture.parquet", "*", NETWORK),
    Expected("*", "*/figure_1_*", "*", NETWORK),
    Expected("*", "*findings.*", "*", FINDINGS),
    Expected("sweep-plan", "step 4", "exit code", "a W&B sweep is a plain grid"),
    Expected("check", "step 6 stdout", "*[[]2]", "the commit of the checkout that ran"),
    Expected(
        "*", "state/model.json", "model", "names the model file by its content, cost included"
    ),
    Expected("detect-mine", "step [345]", "exit code", OPTIONS),
    Expected("detect-mine", "alarms.jsonl,model.md,model.onnx,scores.csv", "exists", OPTIONS),
    Expected("detect-mqtt", "state/*", "exists", CLOCK),
    Expected("detect-mqtt", "state/snapshot-*", "*", CLOCK),
    Expected("simulate,old-own-data", "rows.csv", "*[[]*", ROUNDED, 1e-7),
    Expected("rows", "rows.parquet", "schema", ROUNDED),
    Expected("info,info-ton-iot", "step ? stdout", "channels[[]*].m*", FLOAT64, 1e-7),
    Expected("*", "data/*/telemetry.parquet", "schema", FLOAT64),
    Expected("*", "data/*/telemetry.parquet", "*[[]*", FLOAT64, 1e-7),
    Expected(
        "audit-tiny,reproduce-*", "step 1 stdout,runs/audit/*", "*probes[[]*].auroc", AUROC, 1e-15
    ),
    Expected("audit-skab", "step 1 stdout,runs/audit/*", "*probes[[]*", TREES, 0.004),
    Expected("show", "step 4 stdout", "[[]*].meaning", WORDS),
    Expected(FILED, "*/scores.parquet", "score[[]*", FLOAT64, LAST),
    Expected(FILED, "*/scores.parquet", "threshold[[]*", FLOAT64, LAST),
    Expected(FILED, "*/explanations.parquet", "*[[]*", FLOAT64, 4e-6),
    Expected(FILED, "*/progress.jsonl", "[[]*/*", FLOAT64, LAST),
    Expected(FILED, "*/result.json", "threshold", FLOAT64, LAST),
    Expected(FILED, "*/result.json", "metrics.*/*", FLOAT64, LAST),
    Expected(FILED, "*.csv,*.jsonl,step ? stdout", "*score[[]*", FLOAT64, LAST),
    Expected(FILED, "*.jsonl,step ? stdout", "[[]*].score", FLOAT64, LAST),
    Expected(FILED, "*.jsonl,step ? stdout", "[[]*].threshold", FLOAT64, LAST),
    Expected(FILED, "*.jsonl,step ? stdout", "[[]*].share", FLOAT64, LAST),
    Expected(FILED, "step ? stdout", "parity.*", FLOAT64, LAST),
    Expected(FILED, "step ? stdout", "files[[]*].difference", FLOAT64, LAST),
    Expected(FILED, "step ? stdout", "files[[]*].metrics.*", FLOAT64, LAST),
    Expected(FILED, "*.onnx", "metadata.anomalynet.reference.*", FLOAT64, LAST),
    Expected(FILED, "*.onnx", "metadata.anomalynet.threshold", FLOAT64, LAST),
    Expected("detect-*", "*.onnx", "metadata.data", FLOAT64),
    Expected("detect-*,old-export", "step ? stdout", "parity.calibration", CALIBRATED),
    Expected("detect-*,old-export", "step ? stdout", "files[[]*].bytes", CALIBRATED),
    Expected("detect-*,old-export", "*.onnx", "metadata.inputs", CALIBRATED),
    Expected("detect-*,old-export", "*.onnx", "shapes.offset", CALIBRATED),
    Expected("detect-*,old-export", "*.onnx", "shapes.scale", CALIBRATED),
    Expected("detect-*,old-*", "step ? stdout", "evaluation.*days", DAYS),
    Expected("detect-*,old-*", "step ? stdout", "evaluation.*_per_*day", DAYS),
    Expected("detect-*,old-*", "step ? stdout", "evaluation.event_recall", DAYS),
    Expected("detect-*,old-*", "step ? stdout", "evaluation.detection_delay", DAYS),
    Expected("detect-*", "state/snapshot-*", "history", STATE_2),
    Expected("detect-*", "state/snapshot-*", "offset[[]?[]]", STATE_2),
    Expected("detect-*", "state/snapshot-*", "scale[[]?[]]", STATE_2),
    Expected("detect-*", "state/snapshot-*", "*[[]*", STATE_2, LAST),
    Expected("old-detect-state*", "step 1", "exit code", REFUSED),
    Expected("old-detect-state*", "alarms.jsonl", "length", REFUSED),
    Expected("old-detect-state*", "scores.csv", "*", REFUSED),
    Expected("old-detect-state*", "state/*", "exists", REFUSED),
    Expected("detect-gradient_boosting", "model.onnx", "metadata.*", TREES),
    Expected("detect-gradient_boosting", "runs/*/scores.parquet", "score[[]*", TREES, 0.2),
    Expected("detect-gradient_boosting", "runs/*/scores.parquet", "threshold[[]*", TREES, 0.05),
    Expected("detect-gradient_boosting", "runs/*/result.json", "metrics.*", TREES, 0.01),
    Expected("detect-gradient_boosting", "runs/*/result.json", "parameters", TREES, 0.002),
    Expected("detect-gradient_boosting", "runs/*/result.json", "threshold", TREES, 0.05),
    Expected("detect-gradient_boosting", "scores.csv", "score[[]*", TREES, 0.2),
    Expected("detect-gradient_boosting", "*.jsonl,step [56] stdout", "[[]*].score", TREES, 0.2),
    Expected("detect-gradient_boosting", "*.jsonl,step [56] stdout", "*.threshold", TREES, 0.05),
    Expected("detect-gradient_boosting", "step 2 stdout", "[[]*", TREES, 0.05),
    Expected("detect-gradient_boosting", "step 3 stdout", "files*.metrics.*", TREES, 1e-4),
    Expected("audit-skab", "step 2 stdout", "[[]*][[]*", TREES),
    Expected("*", "*/tables/arms.*", "metric[[]*", NAMED),
    Expected("*", "*/tables/tests.*", "metric[[]*", NAMED),
    Expected("*", "*/tables/effects.*", "metric[[]*", NAMED),
    Expected("*", "*/tables/claims.*", "metric[[]*", NAMED),
    Expected("*", "*/tables/ranking_and_incidents.*", "metric[[]*", NAMED),
    Expected("*", "*/tables/ranking_and_incidents.*", "mean[[]*", ORDER),
    Expected("*", "*/tables/ranking_and_incidents.*", "spread[[]*", ORDER),
    Expected("*", "*/tables/arms.*", "mean[[]*", SCORES, LAST),
    Expected("*", "*/tables/arms.*", "difference[[]*", SCORES, 2e-5),
    Expected("sweep*", "*/tables/arms.*", "mean[[][2367]]", POOLED),
    Expected("sweep*", "*/tables/arms.*", "mean[[]1[0145]]", POOLED),
    Expected("sweep*", "*/tables/arms.*", "spread[[][2367]]", POOLED),
    Expected("sweep*", "*/tables/arms.*", "spread[[]1[0145]]", POOLED),
    Expected("sweep*", "*/tables/arms.*", "difference[[][2367]]", POOLED),
    Expected("sweep*", "*/tables/arms.*", "difference[[]1[0145]]", POOLED),
    Expected("*", "*/tables/arms.*", "difference_spread[[]*", PAIRED),
    Expected("*", "*/tables/arms.*", "pairs[[]*", PAIRED),
    Expected("sweep-factorial", "*/tables/arms.parquet", "schema", PAIRED),
    Expected("*", "*/tables/tests.csv", "reason", REASON),
    Expected("*", "*/tables/tests.parquet", "schema", REASON),
    Expected("sweep", "report/report.tex", "[[]*", POOLED),
    Expected("reproduce-own", "*/tables/calibration.*", "mean[[]*", FLOAT64, 2e-5),
    Expected("reproduce-own", "*/tables/calibration.*", "spread[[]*", FLOAT64, 3e-4),
    Expected(
        "*-own,train-skab-random_forest,train-deviation",
        "runs/random_forest/*/scores.parquet",
        "score[[]*",
        TREES,
        0.0051,
    ),
    Expected("train-skab-random_forest", "*/result.json", "metrics.*", TREES, 3e-5),
    Expected("train-skab-isolation_forest", "*/scores.parquet", "score[[]*", TREES, 0.002),
    Expected("train-skab-isolation_forest", "*/result.json", "metrics.*", TREES, 3e-6),
    Expected("train-skab-gradient_boosting", "*/scores.parquet", "score[[]*", TREES, 0.4),
    Expected("train-skab-gradient_boosting", "*/scores.parquet", "threshold[[]*", SWITCH),
    Expected("train-skab-gradient_boosting", "*/scores.parquet", "alarm[[]*", SWITCH),
    Expected("train-skab-gradient_boosting", "*/result.json", "threshold", SWITCH),
    Expected("train-skab-gradient_boosting", "*/result.json", "metrics.*", SWITCH),
    Expected("train-skab-gradient_boosting", "*/result.json", "parameters", TREES, 0.004),
    Expected("train-skab-gradient_boosting", "step 1 stdout", "[[]*[]][[]*", SWITCH),
    Expected("train-skab-logistic", "*/result.json", "threshold", FLOAT64, 3e-5),
    Expected("train-skab-logistic", "*/scores.parquet", "*[[]*", FLOAT64, 3e-5),
    Expected("check", "baseline.json", "environments.*.values.*", FLOAT64, LAST),
    Expected("train-json", "step 1 stdout", "threshold", FLOAT64, LAST),
    Expected("train-json", "step 1 stdout", "metrics.*", FLOAT64, LAST),
    Expected("test-run,old-test", "step 3 stdout", "[[]1[1-9]]*", METRICS),
    Expected("detect-*", "model.md", "table 1 own: imported from own.csv[[]*", FLOAT64),
    Expected("detect-*,old-export", "*.md", "table 3 can be[[]*", WORDS),
    Expected("detect-*,old-export", "*.md", "table 5", CALIBRATED),
    Expected("detect-*,old-export", "*.md", "table 7 bytes[[]*", CALIBRATED),
    Expected("detect-*", "model.md", "table 7 largest difference[[]*", FLOAT64, LAST),
    Expected("detect-*,old-export", "*.md", "prose*", CALIBRATED),
    Expected("detect-gradient_boosting", "model.md", "table [247] *[[]*", TREES),
    Expected("sweep*,old-*,reproduce-*", "*.md", "prose*", CAPTIONS),
    Expected("sweep*,old-*", "*/report.md", "table 1 A*, %[[]0]", NAMED),
    Expected("sweep*,old-*", "*/report.md", "table 1 difference, points AP[[]*", PAIRED),
    Expected("sweep*", "*/report.md", "table 1 F1 (attack), %[[]*", POOLED),
    Expected("sweep*", "*/report.md", "table 1 Balanced accuracy, %[[]*", POOLED),
    Expected("sweep,old-*,reproduce-*", "*/report.md", "table [12] Metric[[]*", NAMED),
    Expected("sweep,old-*,reproduce-*", "*/report.md", "table 1[01] A*, %[[]*", ORDER),
    Expected("search-*,old-search", "*/report.md", "table 2", NAMED),
)
