"""Cases of data sets: imports of every kind, worlds, audits; and of what is refused."""

from __future__ import annotations

import io

import polars as pl

from tests.differential.case import Case, Step, step
from tests.differential.cases_runs import IMPORT, SKAB, SWEEP, WORLD, train
from tests.differential.tables import devices

ROWS = "time,temp,hum,label\n" + "".join(
    f"2020-01-01 00:{at // 60:02}:{at % 60:02},{at % 7}.5,{'NA' if at % 50 == 9 else at % 11},{int(at % 40 > 30)}\n"
    for at in range(300)
)
NAMED = "--time time --label label"


def clocks(*forms: str) -> str:
    """A table of two columns whose times are written as given."""
    return "t,v\n" + "".join(f"{form},{at}\n" for at, form in enumerate(forms))


def parquet() -> bytes:
    """The plain table as Parquet, with the times as times and one column of words."""
    frame = pl.read_csv(io.BytesIO(ROWS.encode()), try_parse_dates=True, null_values=["NA"])
    target = io.BytesIO()
    frame.with_columns(pl.col("temp").cast(pl.String)).write_parquet(
        target, compression="uncompressed"
    )
    return target.getvalue()


def wide() -> str:
    """Many sensors in columns, one of them without any reading."""
    head = "time," + ",".join(f"s{at}" for at in range(12))
    rows = (
        f"{10 * row}," + ",".join("" if at == 5 else str(row * at % 17) for at in range(12))
        for row in range(120)
    )
    return "\n".join([head, *rows]) + "\n"


def taken(
    name: str,
    content: str | bytes,
    options: str,
    *more: str,
    file: str = "t.csv",
    files: tuple[tuple[str, str], ...] = (),
) -> Case:
    """An import, and what the imported set then is."""
    first = step(
        f"data import {file} --name mine {options}", *more, files=((file, content), *files)
    )
    return Case(
        f"import-{name}", (first, step("data info mine --json"), step("data ls")), own_data=True
    )


INTERVALS = "start,end,type,cause,impact,severity,series\n"
NODES = "".join(
    f"2020-01-01 00:0{at}:00,{node},{at},{int(node == 'b' and at > 5)}\n"
    for node in "ab"
    for at in range(10)
)

IMPORTS = (
    taken("plain", ROWS, f"{NAMED} --units temp=°C,hum=% --json"),
    taken("semicolon", ROWS.replace(",", ";"), NAMED),
    taken("tsv", ROWS.replace(",", "\t"), NAMED, file="t.tsv"),
    taken("bar", "\ufeff" + ROWS.replace(",", "|").replace("\n", "\r\n"), f"{NAMED} --separator |"),
    taken("refused-decimal-comma", ROWS.replace(",", ";").replace(".5", ",5"), NAMED),
    taken("parquet", parquet(), NAMED, file="t.parquet"),
    taken("words", ROWS.replace(",0\n", ",normal\n").replace(",1\n", ",Attack\n"), NAMED),
    taken("epochs", clocks("1577836800", "1577836860", "1577836920"), "--time t"),
    taken("milliseconds", clocks("1577836800000", "1577836860000", "1577836920500"), "--time t"),
    taken(
        "day-first", clocks("13/01/2020 00:00", "13/01/2020 00:01", "13/01/2020 00:03"), "--time t"
    ),
    taken("dots", clocks("01.01.2020 00:00", "01.01.2020 00:01"), "--time t"),
    taken("month-names", clocks("1-Jan-20 00:00:00", "1-Jan-20 00:01:00"), "--time t"),
    taken(
        "offset",
        clocks("2020-01-01T01:00:00+01:00", "2020-01-01T01:01:00+01:00"),
        "--time t --json",
    ),
    taken(
        "zone",
        clocks(
            *(f"2020-10-25 {at}" for at in ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00"))
        ),
        "--time t --timezone Europe/Berlin",
    ),
    taken("no-clock", "node,v\na,1\nb,2\na,3\n", "--series node --period 30"),
    taken(
        "intervals",
        "time,node,temp,y\n" + NODES,
        "--time time --series node --label y --incidents i.csv --json",
        files=(
            (
                "i.csv",
                INTERVALS + "2020-01-01 00:02:00,2020-01-01 00:03:30,jam,attack,availability,3,a\n",
            ),
        ),
    ),
    taken("wide", wide(), "--time time --ignore s3,s4"),
    taken(
        "missing",
        "t,v,y\n0,NA,0\n1,none,1\n2,?,-999\n3,4,\n4,5,-999.0\n5,6,unsure\n",
        "--time t --label y --null ? none --unlabelled unsure",
    ),
    taken(
        "unsorted",
        "t,v,y\n0,0,0\n2,2,0\n1,1,1\n1,5,0\n3,3,0\n",
        "--time t --label y --unsorted sort --duplicates mean --json",
    ),
    taken(
        "kinds",
        "t,node,part,what,v\n0,b,test,normal,1\n1,b,test,flood,2\n2,b,test,,2\n0,a,train,normal,3\n1,a,val,probe,4\n",
        "--time t --series node --split part --kind what",
    ),
    taken("refused-number", ROWS + "2020-01-01 01:00:00,warm,1,0\n", NAMED),
    taken("refused-fields", ROWS + "2020-01-01 01:00:00,1\n", NAMED),
    taken("refused-backwards", ROWS + "2020-01-01 00:00:00,1,1,0\n", NAMED),
    taken("refused-twice", "t,v\n0,1\n1,1\n1,2\n", "--time t"),
    taken("refused-column", ROWS, "--time tme --label label"),
    taken("refused-dates", clocks("01/02/2020", "02/02/2020"), "--time t"),
    taken("refused-bytes", b"time,temp\n1,2\n2,21\xb0\n", "--time time"),
    taken(
        "refused-interval",
        "time,node,temp,y\n" + NODES,
        "--time time --series node --ignore y --incidents i.csv",
        files=(("i.csv", INTERVALS + "2020-01-01 00:03:00,2020-01-01 00:02:00,,,,,a\n"),),
    ),
)

CELL = (
    "deployment.nodes=10",
    "deployment.cell_nodes=5",
    "duration=8h",
    "incidents.per_node_day=20",
    "incidents.quiet_hours=1",
)
TABLE_3 = "model,precision_normal,recall_normal,recall_attack\ncnn,76.69,97.47,88.11\n"
USUAL = (
    "model,Precision,Recall,F1-score,Accuracy\nSVM,95.1,93.2,97.0,96.0\nRF,95.1,93.2,94.1,96.0\n"
)
MARKDOWN = "| model | precision_attack | recall_attack | f1_attack | accuracy |\n|---|---|---|---|---|\n| A | 0.90 | 0.80 | 0.85 | 0.95 |\n| B | 0.70 | 0.80 | 0.95 | 0.9 |\n"

DATA = (
    Case(
        "simulate",
        (
            step("simulate smart_city --out worlds/city --workers 2 --csv --json", *CELL),
            step("data info worlds/city --json"),
            step("data info worlds/city --figures pictures"),
            step("data rows worlds/city --out rows.csv"),
        ),
    ),
    *(
        Case(
            f"simulate-{kind}",
            (
                step(
                    f"simulate {kind} --out world",
                    "deployment.nodes=8",
                    "deployment.cell_nodes=8",
                    "duration=10h",
                    *more,
                ),
                step("data info world --json"),
            ),
        )
        for kind, more in (
            ("healthcare", ("seed=3",)),
            ("industrial", ("incidents.only=jamming crash",)),
            ("smart_city", ("radio.kind=lora",)),
        )
    ),
    Case("simulate-list", (step("simulate --list --json"), step("simulate --list"))),
    Case(
        "old-world",
        (
            step("data info worlds/city --json"),
            step("simulate smart_city --out worlds/city", *CELL),
            step(
                "train logistic",
                "data.name=simulated",
                "data.root=worlds/city",
                "data.calibration_rows=20",
                "data.split.folds=3",
            ),
        ),
        after="simulate",
    ),
    Case(
        "info",
        (
            step("data info skab --json", "data.root={data}/skab"),
            step("data info skab", "data.root={data}/skab"),
            step("data info lwsndr --json", "data.root={data}/lwsndr"),
            step("data info smart_city --json", WORLD[0]),
        ),
    ),
    Case(
        "info-ton-iot",
        (step("data info ton_iot --json", "data.root={data}/ton_iot", "data.subset=weather"),),
    ),
    Case(
        "rows",
        (
            step("data rows skab --out rows.csv --by time", "data.root={data}/skab"),
            step("data rows lwsndr --out rows.jsonl", "data.root={data}/lwsndr"),
            step("data rows smart_city --out rows.parquet", WORLD[0], "data.world=7"),
            step("data replay skab --out - --speed 0 --series valve1/0", "data.root={data}/skab"),
        ),
    ),
    Case(
        "old-own-data",
        (step("data ls"), step("data info own --json"), step("data rows own --out rows.csv")),
        after="train-own-runs",
        own_data=True,
    ),
    Case(
        "audit-skab",
        (
            step("audit skab --json", "data.root={data}/skab"),
            step("audit skab --seed 1", "data.root={data}/skab"),
        ),
    ),
    Case(
        "audit-tiny",
        (
            step("audit smart_city --json", *WORLD),
            step("audit smart_city", *WORLD, "data.split.policy=held_out_types"),
        ),
    ),
    Case(
        "audit-table",
        (
            step("audit-table --paper --json"),
            step("audit-table --paper"),
            step("audit-table t.csv --json", files=(("t.csv", TABLE_3),)),
            step("audit-table u.csv", files=(("u.csv", USUAL),)),
            step("audit-table u.csv --of attack --json"),
            step(
                "audit-table m.md --unit fraction --rounding truncate --json",
                files=(("m.md", MARKDOWN),),
            ),
            step("audit-table m.md"),
        ),
    ),
    Case(
        "show",
        (
            step("show hybrid --json"),
            step("show hybrid --origin"),
            step("show cnn_lstm hybrid --json"),
            step("show --keys --json"),
            step("show cnn", "training.epochs=3"),
            step("show hybrid --json --origin"),
        ),
    ),
    Case(
        "ls",
        (
            step("ls --json"),
            step("ls models --json"),
            step("ls sweeps --json"),
            step("ls experiments"),
            step("data ls"),
            step("ls runs --json"),
        ),
        own_data=True,
    ),
)


def refused(
    name: str,
    command: str,
    *more: str,
    files: tuple[tuple[str, str | bytes], ...] = (),
    first: tuple[Step, ...] = (),
) -> Case:
    """One mistake."""
    return Case(f"error-{name}", (*first, step(command, *more, files=files)), own_data=bool(first))


SPOILT = ("cnn", *SKAB)
ERRORS = (
    refused("verb", "trian cnn"),
    refused("key", "train cnn training.epoch=3 seed=x"),
    refused("value", "train cnn training.epochs=many"),
    refused("seed", "train cnn seed=4294967296"),
    refused("experiment", "train cnnn"),
    refused("devices", "train cnn --devices 0"),
    refused("data-set", "train cnn data.name=skap"),
    refused("root", "train cnn data.name=skab data.root=nowhere"),
    refused(
        "yaml-key",
        "train extended.yaml",
        files=(("extended.yaml", "extends: hybrid\ntraining: {epoch: 3}\n"),),
    ),
    refused(
        "extends",
        "train lost.yaml",
        files=(("lost.yaml", "extends: hybird\nmodel: {name: cnn}\n"),),
    ),
    refused(
        "yaml", "train broken.yaml", files=(("broken.yaml", "extends: hybrid\nmodel: {name: [\n"),)
    ),
    refused(
        "model-file",
        "train cnn model.name=./broken.py",
        files=(("broken.py", "import nothing_here\n"),),
    ),
    refused("run", "test zz"),
    refused("nothing", "report --runs nowhere"),
    refused("form", "report --format html,pdf"),
    refused("models", "reproduce --models=cnnn"),
    refused("sweep-only", "sweep small.yaml --only 99", *WORLD, files=(("small.yaml", SWEEP),)),
    refused(
        "sweep-file",
        "sweep bad.yaml --plan",
        files=(("bad.yaml", SWEEP.replace("design: one_at_a_time", "design: none")),),
    ),
    refused(
        "sweep-axis",
        "sweep bad.yaml --plan",
        files=(("bad.yaml", SWEEP.replace("model.pool", "model.pol")),),
    ),
    refused("sweep-name", "sweep nowhere --plan"),
    refused("check-experiment", "check --experiments hybird"),
    refused(
        "check-baseline",
        "check --only golden --against nowhere.json --experiments logistic --history",
    ),
    refused("split", "train logistic data.name=skab data.root={data}/skab data.split.fold=7"),
    refused("audit", "audit nothing"),
    refused("table-file", "audit-table nowhere.csv"),
    refused("table-cells", "audit-table t.csv", files=(("t.csv", "model,f1_attack\nX,high\n"),)),
    refused("simulate", "simulate smart_city deployment.nods=3 --out w"),
    refused("import-name", "data import t.csv --name skab --time time", files=(("t.csv", ROWS),)),
    refused("import-file", "data import nowhere.csv --name mine"),
    refused("detect-model", "detect t.csv --model t.csv", files=(("t.csv", devices()),)),
    refused("detect-file", "detect nowhere.csv --model nowhere.onnx"),
    refused("export", "export nothing --out m.onnx"),
    refused("show", "show a b c"),
    refused("rows", "data rows skab --out rows.txt", "data.root={data}/skab"),
    Case(
        "error-corrupt-run",
        (
            train(*SPOILT),
            step("ls runs --json"),
            Step(files=(("runs/cnn/0000000000/result.json", "{"),)),
            step("ls runs --json"),
            step("test 0000000000"),
            step("report --out two --data skab"),
        ),
    ),
    Case("error-taken", (IMPORT, IMPORT), own_data=True),
)
