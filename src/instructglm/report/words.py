"""The page's own words in English and Chinese; what comes from the data is never translated."""

from __future__ import annotations

import re
from collections.abc import Mapping

from markupsafe import Markup, escape

Pair = tuple[str, str]

WORDS: Mapping[str, Pair] = {
    # navigation and controls
    "results": ("Results", "结果"),
    "confusion": ("Confusion", "混淆矩阵"),
    "training": ("Training", "训练"),
    "items": ("Test items", "测试样例"),
    "data": ("Data", "数据"),
    "ledger": ("Left out", "未用数据"),
    "reproduce": ("Reproduce", "复现"),
    "theme": ("Light / dark", "明 / 暗"),
    "language": ("中文", "English"),
    # key figures
    "model": ("Model", "模型"),
    "method": ("Method", "微调方法"),
    "test_items": ("Test items", "测试题数"),
    "train_examples": ("Training examples", "训练样本数"),
    "training_time": ("Training time", "训练用时"),
    "on_device": ("on {device}", "设备 {device}"),
    "moving_share": ("{share} of the weights move", "更新 {share} 的参数"),
    # results
    "closed": ("closed set of answers", "封闭式答案"),
    "open": ("open answers", "开放式答案"),
    "num_items": ("{n} test items", "{n} 道测试题"),
    "better": ("Better", "更好"),
    "worse": ("Worse", "更差"),
    "undecided": ("No difference shown", "未见差异"),
    "verdict.better": (
        "{b} is better than {a} in {metric}: {difference} points, {p}.",
        "{b} 的{metric}优于 {a}：{difference} 个百分点，{p}。",
    ),
    "verdict.worse": (
        "{b} is worse than {a} in {metric}: {difference} points, {p}.",
        "{b} 的{metric}不如 {a}：{difference} 个百分点，{p}。",
    ),
    "verdict.undecided": (
        "These items show no difference between {b} and {a} in {metric}: {difference} points, {p}. "
        "A difference inside this interval may still exist.",
        "在这些题上看不出 {b} 与 {a} 的{metric}有差异：{difference} 个百分点，{p}。区间之内的差异仍有可能存在。",
    ),
    "no_comparison": ("The models were not compared on this task.", "该任务未做模型对比。"),
    "no_results": ("This report holds no scores.", "本报告没有得分。"),
    "score_caption": ("Score with {confidence} interval", "得分与 {confidence} 区间"),
    "difference_caption": ("Difference, item by item, with {confidence} interval", "逐题配对差值与 {confidence} 区间"),
    "minus": ("{b} minus {a}", "{b} 减 {a}"),
    "metric": ("Metric", "指标"),
    "difference": ("Difference", "差值"),
    "p_value": ("p", "p 值"),
    "unparsed_count": ("{n} unparsed", "{n} 个无法解析"),
    "table_note": (
        "Brackets hold {confidence} intervals. Differences are in percentage points, paired item by item.",
        "方括号内为 {confidence} 区间；差值以百分点计，逐题配对。",
    ),
    "more_metrics": ("More averages", "更多平均指标"),
    "per_class": ("Per answer", "按答案分列"),
    "definitions": ("What the figures mean", "指标含义"),
    "unscored": (
        "{model} gave no answer to {n} items, which no figure counts: {reason}.",
        "{model} 有 {n} 题没有作答，未计入任何指标：{reason}。",
    ),
    # confusion
    "confusion_note": (
        "Rows are references, columns are predictions. Shade: share of the row. Outlined: right.",
        "行为参考答案，列为模型预测；颜色深浅表示占该行的比例，带框为正确。",
    ),
    "likelihood": ("by likelihood of the choices", "按各选项的似然"),
    "generation": ("by the answer as written", "按实际生成的答案"),
    "reference": ("Reference", "参考答案"),
    "total": ("Total", "合计"),
    "unparsed_column": ("unparsed", "无法解析"),
    # training
    "no_training": ("Nothing was trained for this report.", "本报告没有训练过程。"),
    "loss_axis": ("loss, nats per trained token", "损失（每个训练词元，奈特）"),
    "step_axis": ("optimizer step", "优化步数"),
    "loss_note": (
        "Both losses are nats per trained token. The train loss of a step is that of its own batch before the step, "
        "with dropout where there is any; the validation loss is of all validation examples, without.",
        "两条曲线均为每个训练词元的损失（奈特）。训练损失取自该步更新前的当前批次（若设有 dropout 则启用）；"
        "验证损失取自全部验证样本，不启用 dropout。",
    ),
    "gap_note": (
        "Gap at step {step}: {gap} nats (validation {validation}, train {train} on average over the {n} steps logged "
        "since the check before).",
        "第 {step} 步的差距：{gap} 奈特（验证 {validation}；训练 {train}，为自上次检查以来所记录的 {n} 步的平均）。",
    ),
    "metric_note": (
        "The same validation items at every check. A share of {n} is off by up to {points} points by chance alone, "
        "19 times in 20.",
        "每次检查使用相同的验证题。对于 {n} 题，仅偶然因素（95%）就可使比例偏差多达 {points} 个百分点。",
    ),
    "train_curve": ("train, each step", "训练（每步）"),
    "train_smooth": ("train, running mean", "训练（滑动平均）"),
    "validation_curve": ("validation", "验证"),
    "chosen": ("chosen: step {step}", "选用：第 {step} 步"),
    "chosen_legend": ("chosen checkpoint", "选用的检查点"),
    "not_finite": ("{n} losses were not finite and cannot be drawn.", "有 {n} 个损失值不是有限数，无法绘出。"),
    "steps": ("Steps", "步数"),
    "epochs": ("Epochs", "轮数"),
    "trained_tokens": ("Trained tokens", "训练词元数"),
    "input_tokens": ("Tokens read", "读入词元数"),
    "parameters": ("Weights that move", "更新的参数"),
    "of": ("{part} of {whole}", "{part} / {whole}"),
    "stopped_early": ("Stopped early", "提前停止"),
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "resumed": ("resumed after step {steps}", "于第 {steps} 步后续训"),
    "settings": ("All settings", "全部设置"),
    # estimate against reality
    "estimate_and_reality": ("Estimate and reality", "估计与实际"),
    "estimated": ("Estimated", "估计"),
    "measured": ("Measured", "实测"),
    "all_parameters": ("All weights", "全部参数"),
    "peak_memory": ("Memory at most", "内存峰值"),
    "estimate_note": (
        "Estimated before the run, from the experiment file alone, for a run that does not stop early; "
        "time is only estimated by a probe.",
        "估计在运行之前仅据实验文件作出，按不提前停止计；用时须经试跑才能估计。",
    ),
    "memory.allocated": (
        "Memory: what torch had allocated on the device, in this run or since it was resumed.",
        "内存：torch 在设备上的分配量；续训时自续训起计。",
    ),
    "memory.resident": (
        "Memory: by how much the process grew, libraries that it loaded on the way included.",
        "内存：进程常驻内存的增量，含途中加载的库。",
    ),
    # samples
    "no_samples": ("This report holds no single items.", "本报告没有逐题结果。"),
    "filter.all": ("All", "全部"),
    "filter.gained": ("{a} wrong, {b} right", "{a} 错，{b} 对"),
    "filter.lost": ("{a} right, {b} wrong", "{a} 对，{b} 错"),
    "filter.both_wrong": ("Both wrong", "都错"),
    "filter.higher": ("{b} scores higher", "{b} 得分更高"),
    "filter.lower": ("{b} scores lower", "{b} 得分更低"),
    "filter.unparsed": ("Unparsed", "无法解析"),
    "task": ("Task", "任务"),
    "search": ("Search", "搜索"),
    "shown": ("shown", "条已显示"),
    "matching": ("matching", "条符合"),
    "show_more": ("Show 25 more", "再显示 25 条"),
    "references": ("Accepted answers", "可接受的答案"),
    "right": ("right", "正确"),
    "wrong": ("wrong", "错误"),
    "score": ("ROUGE-L {score}", "ROUGE-L {score}"),
    "choice": ("most likely", "最可能"),
    "wrote": ("wrote", "生成"),
    "read_as": ("read as", "解析为"),
    "unparsed": ("unparsed", "无法解析"),
    "empty_text": ("(empty)", "（空）"),
    "missing_answer": ("no answer", "没有回答"),
    "system": ("system", "系统"),
    "user": ("user", "用户"),
    "assistant": ("assistant", "助手"),
    # data
    "sources": ("Sources", "来源"),
    "path": ("File", "文件"),
    "format": ("Format", "格式"),
    "rows": ("Rows", "行数"),
    "sha256": ("SHA-256", "SHA-256"),
    "splits": ("Examples and answers", "样本与答案"),
    "train": ("train", "训练"),
    "validation": ("validation", "验证"),
    "test": ("test", "测试"),
    "examples": ("Examples", "样本"),
    "outputs": ("Accepted outputs", "可接受的输出"),
    "answer": ("Answer", "答案"),
    "agreement": ("How far the annotators agree", "标注者一致性"),
    "alpha": ("Krippendorff's alpha ({level})", "Krippendorff α（{level}）"),
    "nominal": ("nominal", "定类"),
    "ordinal": ("ordinal", "定序"),
    "interval": ("interval", "定距"),
    "alpha_reliable": ("Good agreement (0.8 or more)", "一致性良好（0.8 及以上）"),
    "alpha_tentative": ("Fair agreement (0.667 to 0.8)", "一致性尚可（0.667 至 0.8）"),
    "alpha_weak": (
        "Single ratings agree little (below 0.667); a mean over many raters is steadier than any one of them",
        "单个评分的一致性较低（低于 0.667）；多人均值比任何单个评分更稳定",
    ),
    "alpha_undefined": ("undefined", "无定义"),
    "ratings_summary": (
        "{ratings} ratings of {items} items, {annotators} raters an item",
        "{items} 条文本共 {ratings} 个评分，每条 {annotators} 人",
    ),
    "ratings": ("Ratings", "评分"),
    "rating_histogram": ("How often each rating was given", "各评分出现次数"),
    "split_items": ("Items on which they differ most", "分歧最大的条目"),
    "text": ("Text", "文本"),
    "outcome": ("Outcome", "结果"),
    "dataset": ("Dataset {name}, {hash}", "数据集 {name}，{hash}"),
    # ledger
    "ledger_note": (
        "Every row that did not reach training as it stood, with the reason. Open a reason to see each row's id: "
        "the file, followed by its line :n or its index [n].",
        "未能原样进入训练的每一行及其原因。展开可见每行的编号：文件名后接行号 :n 或序号 [n]。",
    ),
    "ledger_empty": ("Every row that was read is used.", "读入的每一行都已使用。"),
    "reason": ("Reason", "原因"),
    "dropped": ("{n} dropped", "{n} 行舍弃"),
    "cut": ("{n} cut", "{n} 行截短"),
    "tokens": ("{n} tokens", "{n} 个词元"),
    "rows_of": ("{n} rows", "{n} 行"),
    "reason.malformed": ("A field is missing or of the wrong kind.", "缺少字段，或字段类型不对。"),
    "reason.empty": ("There is nothing to learn: no prompt or no output.", "没有可学的内容：缺提示或缺输出。"),
    "reason.duplicate": ("The same prompt and output stands earlier.", "相同的提示与输出前面已出现。"),
    "reason.conflict": ("A closed question has two different answers.", "同一封闭式问题有两个不同答案。"),
    "reason.raters_split": (
        "The annotators' ratings fall between the answers, so no answer would be right.",
        "标注者的评分落在各答案之间，没有哪个答案算对。",
    ),
    "reason.leaked": (
        "Its prompt or document also stands in the validation or test split.",
        "其提示或文档也出现在验证集或测试集中。",
    ),
    "reason.unused": (
        "It has a part that its format cannot use; the row itself was kept without it.",
        "含有其格式无法使用的部分；该行去掉这一部分后仍保留。",
    ),
    "reason.outranked": (
        "Another output of its prompt is rated better, and the experiment trains only the best.",
        "同一提示有评分更高的输出，而实验只训练评分最高者。",
    ),
    "reason.overlong": (
        "It is longer than max_length, or with all its outputs than tokens_per_batch.",
        "长度超过 max_length，或连同其全部输出超过 tokens_per_batch。",
    ),
    "reason.over_limit": (
        "The experiment asked for fewer rows than there are; nothing is wrong with these.",
        "实验要求的行数少于现有行数；这些行本身没有问题。",
    ),
    # environment
    "how": ("How to make these figures again", "如何重现这些数值"),
    "command": ("Command", "命令"),
    "seed": ("Seed", "随机种子"),
    "device": ("Device", "设备"),
    "dtype": ("Arithmetic", "数值精度"),
    "threads": ("Threads", "线程数"),
    "python": ("Python", "Python"),
    "platform": ("Platform", "平台"),
    "git_revision": ("Git revision", "Git 版本"),
    "unknown": ("not known", "未知"),
    "packages": ("Packages", "软件包"),
    "experiment": ("The experiment file, with all defaults", "实验文件（含全部默认值）"),
    "stages": ("Time per stage", "各阶段用时"),
    "footer": (
        "One file; it opens offline and asks no other machine for anything. The same as data: report.json.",
        "单一文件，可离线打开，不访问任何其他机器。同样内容的数据见 report.json。",
    ),
}

_METRICS: Mapping[str, Pair] = {
    "accuracy": ("Accuracy", "准确率"),
    "precision": ("Precision", "精确率"),
    "recall": ("Recall", "召回率"),
    "f1": ("F1", "F1"),
    "exact_match": ("Exact match", "完全匹配"),
    "rouge_l": ("ROUGE-L", "ROUGE-L"),
    "chrf": ("chrF", "chrF"),
}
_OPEN_METRICS: Mapping[str, Pair] = {
    "accuracy": ("Exact match", "完全匹配"),
    "macro_precision": ("Token precision", "词元精确率"),
    "macro_recall": ("Token recall", "词元召回率"),
    "macro_f1": ("Token F1", "词元 F1"),
}
_PREFIXES: Mapping[str, Pair] = {
    "generated_": ("Written: ", "生成答案："),
    "macro_": ("Macro ", "宏平均"),
    "micro_": ("Micro ", "微平均"),
    "weighted_": ("Weighted ", "加权"),
}
_CLASS_METRIC = re.compile(r"^(?P<name>\w+)\[(?P<label>.*)\]$", re.DOTALL)


def bilingual(pair: Pair) -> Markup:
    """Both languages; the style sheet shows the one that is chosen."""
    english, chinese = map(escape, pair)
    if english == chinese:
        return english
    return Markup('<span class="en">{}</span><span class="zh" lang="zh">{}</span>').format(english, chinese)


def words(key: str, **values: object) -> Markup:
    """The words under `key` in both languages, with `values` filled in (escaped)."""
    english, chinese = WORDS[key]
    shown = [Markup(escape(text)).format(**values) if values else escape(text) for text in (english, chinese)]
    return bilingual((shown[0], shown[1]))


def phrase(key: str, **values: object) -> Pair:
    """The words under `key` in both languages as plain text, with `values` filled in."""
    english, chinese = WORDS[key]
    return english.format(**values), chinese.format(**values)


def metric_words(metric: str, kind: str = "closed") -> Pair:
    """What a reader calls a metric.

    >>> metric_words("generated_macro_f1")[0]
    'Written: macro F1'
    >>> metric_words("f1[good]")[0]
    'F1 of good'
    >>> metric_words("macro_f1", "open")[0]
    'Token F1'
    """
    if kind == "open" and metric in _OPEN_METRICS:
        return _OPEN_METRICS[metric]
    if found := _CLASS_METRIC.match(metric):
        english, chinese = metric_words(found["name"], kind)
        return f"{english} of {found['label']}", f"{found['label']} 的{chinese}"
    for prefix, (english, chinese) in _PREFIXES.items():
        if metric.startswith(prefix):
            rest = metric_words(metric.removeprefix(prefix), kind)
            return english + _lower_first(rest[0]), chinese + rest[1]
    plain = metric.replace("_", " ")
    return _METRICS.get(metric, (plain[:1].upper() + plain[1:],) * 2)


def _lower_first(words: str) -> str:
    """`Macro F1` goes on as `macro F1`; `F1` and `ROUGE-L` keep their capitals."""
    return words if words[1:2].isupper() or words[1:2].isdigit() else words[:1].lower() + words[1:]
