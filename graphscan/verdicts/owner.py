# ruff: noqa: E501 - whole sentences in two languages; Chinese characters count double
"""What the owner of an account reads: plain language, English and Simplified Chinese, no scores, no jargon."""

from __future__ import annotations

from typing import Final

from graphscan.verdicts.policy import Policy
from graphscan.verdicts.tiers import LIMIT, TERMINATE, AccountEvidence, Decision

LANGUAGES: Final = ("en", "zh-Hans")

_SURFACE: Final = {
    "en": {
        "profile": "profile changes",
        "post": "posts",
        "comment": "comments",
        "message": "private messages",
        "chat": "group chats",
    },
    "zh-Hans": {"profile": "资料修改", "post": "帖子", "comment": "评论", "message": "私信", "chat": "群聊"},
}
_FAMILY: Final = {
    "en": {
        "timing": "it keeps no hours of rest as people do",
        "clock": "its activity starts at fixed times of a clock",
        "latency": "it answers or writes faster than a person can",
        "actions": "it repeats the same few steps over and over",
        "content": "its texts follow one pattern",
        "network": "it acts in step with a group of other accounts",
    },
    "zh-Hans": {
        "timing": "它不像人一样有休息时间",
        "clock": "它的活动总在固定的时刻开始",
        "latency": "它回复或写作的速度超过人的极限",
        "actions": "它不断重复相同的几个步骤",
        "content": "它的文字遵循同一个模式",
        "network": "它与一组其他账号同步行动",
    },
}
_TEXT: Final = {
    "en": {
        LIMIT: "Your account is shown to fewer people for {days} days.",
        TERMINATE: "Your account is to be closed.",
        "why": (
            "Why: our rules ask that a person decides what an account does. We saw signs that software "
            "acts for you:"
        ),
        "where": "This concerns mostly: {surfaces}.",
        "seen": (
            "We looked at {n} acts on {days} days. What you wrote did not decide this, and nobody was "
            "judged for using AI to write."
        ),
        "after": (
            "The limit ends by itself after {days} days. You can go on using AI to write, translate or "
            "correct, as long as you decide and post."
        ),
        "before": "Software found this, and a person has to confirm it before it takes effect.",
        "automatic": "Software found and decided this.",
        "contest": (
            "If we are wrong, tell us: you can contest this free of charge for {months} months, and a "
            "person will look at it."
        ),
    },
    "zh-Hans": {
        LIMIT: "您的账号在 {days} 天内展示给较少的人。",
        TERMINATE: "您的账号将被关闭。",
        "why": "原因：我们的规则要求由人来决定账号的行为。我们看到有软件代替您行动的迹象：",
        "where": "主要涉及：{surfaces}。",
        "seen": "我们查看了 {days} 天内的 {n} 次操作。您写的内容没有影响这一决定，使用人工智能写作不会受到处罚。",
        "after": "限制在 {days} 天后自动结束。只要由您自己决定并发布，您可以继续使用人工智能写作、翻译或修改。",
        "before": "这是由软件发现的，须经人工确认后才会生效。",
        "automatic": "这是由软件发现并决定的。",
        "contest": "如果我们弄错了，请告诉我们：您可以在 {months} 个月内免费申诉，届时将由人工复核。",
    },
}


def owner_text(language: str, made: Decision, evidence: AccountEvidence, policy: Policy) -> str:
    """The text for the owner of a restricted account.

    Parameters
    ----------
    language
        One of ``LANGUAGES``.
    """
    text = _TEXT[language]
    families = sorted(evidence.families - {"content"})
    if evidence.cluster is not None and evidence.cluster.counts:
        families.append("network")
    hosted = [name for name, s in evidence.surfaces.items() if s.lower_bound >= policy.limit.coverage]
    comma = ", " if language == "en" else "、"
    lines = [text[made.tier].format(days=policy.limit.days), "", text["why"]]
    lines += [f"- {_FAMILY[language][family]}" for family in families if family in _FAMILY[language]]
    if hosted:
        lines.append(text["where"].format(surfaces=comma.join(_SURFACE[language][s] for s in hosted)))
    lines.append(text["seen"].format(n=evidence.n_events, days=evidence.n_active_days))
    lines.append("")
    if made.tier == LIMIT:
        lines.append(text["after"].format(days=policy.limit.days))
    signed = made.tier == TERMINATE and policy.execution.signoffs > 0
    lines.append(text["before"] if signed else text["automatic"])
    lines.append(text["contest"].format(months=policy.execution.contest_days // 30))
    return "\n".join(lines)
