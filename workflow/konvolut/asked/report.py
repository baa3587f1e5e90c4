"""What a sweep takes before it is submitted: per technique and model, and in all; a table for people and programs."""

from pathlib import Path

import pandas as pd

from konvolut.asked import as_json
from konvolut.asked.costs import Speed, read_speed
from konvolut.asked.plan import make_plan
from konvolut.asked.settings import Settings

SECONDS_PER_HOUR = 3600
# A result, its log, and Snakemake's note of it.
FILES_PER_JOB = 3
# These take no passes; the pages have files of their own that this table leaves out.
LEFT_OUT = ("atlas", "examples", "alike", "trust", "kernels")
ALL = "all"


def write_report(settings_json: str, censuses: list[str], calibration: Path, output: Path) -> None:
    """Print the report of a sweep and write it as TSV."""
    settings = as_json.from_json(Settings, settings_json)
    speed = read_speed(Path(calibration))
    plan = make_plan(settings, dict(zip((model.key for model in settings.models), censuses, strict=True)), speed)
    table = summarise(plan, speed)
    table.to_csv(output, sep="\t", index=False, lineterminator="\n")
    print(in_words(table, speed))


def summarise(plan: pd.DataFrame, speed: Speed) -> pd.DataFrame:
    """A row per technique and model, one per technique for all models, and one for all.

    `start_percent` is the share of the hours in which no picture is computed: jobs start, and write what they have.
    """
    plan = plan[~plan["technique"].isin(LEFT_OUT)].assign(jobs=1)
    seconds = speed.seconds(plan["gflop"], plan["mcells"])
    starts = speed.around(plan["mb"])
    plan = plan.assign(hours=(seconds + starts) / SECONDS_PER_HOUR, start_hours=starts / SECONDS_PER_HOUR)
    plan = plan.assign(files=FILES_PER_JOB, disk_gb=plan["mb"] / 1000)
    numbers = ["units", "passes", "jobs", "gflop", "hours", "start_hours", "disk_gb", "files"]
    each = plan.groupby(["technique", "model"], sort=False)[numbers].sum().reset_index()
    techniques = plan.groupby("technique", sort=False)[numbers].sum().reset_index().assign(model=ALL)
    everything = plan[numbers].sum().to_frame().T.assign(technique=ALL, model=ALL)
    table = pd.concat([each, techniques, everything], ignore_index=True)
    table["start_percent"] = 100 * table["start_hours"] / table["hours"].where(table["hours"] > 0, 1)
    table["files_per_1000_units"] = 1000 * table["files"] / table["units"].where(table["units"] > 0, 1)
    whole = dict.fromkeys(("units", "passes", "jobs", "files"), "int64")
    columns = ["technique", "model", *numbers, "start_percent", "files_per_1000_units"]
    return table.astype(whole).round(3)[columns].drop(columns="start_hours")


def in_words(table: pd.DataFrame, speed: Speed) -> str:
    """The totals as a table to be printed, and one sentence."""
    totals = table[table["model"] == ALL].drop(columns="model")
    last = totals.iloc[-1]
    kind = "core hours" if speed.device == "cpu" else "GPU hours"
    shown = totals.to_string(index=False, float_format="{:,.2f}".format)
    return (
        f"{shown}\n"
        f"konvolut: {last['units']:,} pictures and photographs in {last['jobs']:,} jobs take {last['hours']:,.2f}"
        f" {kind} (on {speed.device}, {last['start_percent']:.1f} % of them to start and to write),"
        f" {last['disk_gb']:,.1f} GB and {last['files']:,} files before the atlas"
    )
