# ruff: noqa: E501 - the page is prose, and Chinese characters count double
"""The policy as a page for the owners of accounts: what is fine, where the line is, what happens, how to
contest.
"""

from __future__ import annotations

from graphscan.verdicts.policy import Policy


def guidelines(policy: Policy, language: str = "en") -> str:
    """The page as Markdown, in ``en`` or ``zh-Hans``."""
    values = {
        "warn": round(policy.warn.p_automation * 100),
        "limit": round(policy.limit.p_automation * 100),
        "half": round(policy.limit.coverage * 100),
        "days": policy.limit.days,
        "min_events": policy.score.min_events,
        "min_days": policy.score.min_active_days,
        "limit_events": policy.limit.min_events,
        "end_events": policy.terminate.min_events,
        "end": round(policy.terminate.coverage * 100),
        "surfaces": policy.terminate.surfaces,
        "families": policy.terminate.families,
        "posts": round(policy.terminate.post_coverage * 100),
        "months": policy.execution.contest_days // 30,
        "signoffs": policy.execution.signoffs,
        "name": policy.name,
        "version": policy.version,
    }
    return (_ZH if language == "zh-Hans" else _EN).format(**values)


_EN = """# AI and automation: what is fine, and where the line is

Policy `{name}`, version {version}.

An account belongs to a person, and a person decides what it does. The question is never how a text was
written.
The question is: **who decides and posts?**

## Always fine

- Writing, translating, correcting or summarising with AI, as long as you decide and post.
- Drafts, pictures and ideas from AI that you choose from.
- Saying that you use AI. A declaration is never held against you.
- A tool that publishes your own posts at times that you set.
- Being busy. How much you do is never a reason.

## Where the line is

Software that registers, posts, answers, likes or chats for you, without you deciding each time, is *hosting*.
We look
at what an account does, when and how fast; we do not judge what it says. Accounts with fewer than
{min_events} acts or
{min_days} active days are not judged at all.

| what we see | what happens |
| --- | --- |
| automation is likely (at least {warn} %), on some of what you do | a notice; your reach stays as it is |
| automation is very likely (at least {limit} %), on at least {half} % of what you do on a public surface, and
two independent kinds of behaviour say so ({limit_events} acts or more) | fewer people see your account for
{days} days; this ends by itself |
| something looks like a farm or like full automation, and one proof is missing | a person looks; nothing
changes for you meanwhile |
| at least {end} % of what you do on {surfaces} surfaces is hosted, or at least {posts} % of your posts, or
you are in the core of a farm and automated yourself; {families} independent kinds of behaviour say so
({end_events} acts or more) | the account is closed, after {signoffs} named person(s) signed |

Percentages of what you do are lower bounds: we count only what we are 95 % sure of. What others do beside
you, or copy
from you, never counts against you. Texts alone, and detectors of AI texts, restrict nobody.

## If we are wrong

You get a statement that says what was seen, when, and which rule it broke. You can contest it for {months}
months, free
of charge, and a person will look at it. An appeal that is upheld holds for the same evidence.
"""

_ZH = """# 人工智能与自动化：什么可以，界线在哪里

政策 `{name}`，版本 {version}。

账号属于人，由人决定它做什么。问题从来不是文字是怎样写成的，而是：**谁在决定和发布？**

## 始终允许

- 用人工智能写作、翻译、修改或总结，只要由您决定并发布。
- 由您挑选的人工智能草稿、图片和想法。
- 说明您使用人工智能。这样的说明绝不会对您不利。
- 在您设定的时间发布您自己帖子的工具。
- 频繁活动。活动的多少从来不是理由。

## 界线在哪里

软件代替您注册、发帖、回复、点赞或聊天，而不是每次由您决定，这就是*托管*。我们看账号做什么、何时做、做得多快，
不评判它说什么。少于 {min_events} 次操作或 {min_days} 个活跃日的账号不会被评判。

| 我们看到的 | 后果 |
| --- | --- |
| 您的部分行为很可能是自动化的（至少 {warn} %） | 一则通知，传播范围不变 |
| 极可能是自动化（至少 {limit} %），在一个公开场合至少占您行为的 {half} %，且有两种独立的行为迹象（至少 {limit_events} 次操作） | {days}
天内较少的人看到您的账号，到期自动结束 |
| 看起来像账号农场或完全自动化，但缺少一项证据 | 由人查看，其间对您没有任何变化 |
| 在 {surfaces} 个场合至少 {end} % 的行为、或至少 {posts} % 的帖子是托管的，或您处于农场的核心且自身是自动化的；有 {families} 种独立的行为迹象（至少 {end_events}
次操作） | 经 {signoffs} 人具名签字后关闭账号 |

行为所占的百分比都是下限：我们只计算有 95 % 把握的部分。别人在您旁边做什么，或者模仿您，绝不会算在您头上。
仅凭文字或人工智能文字检测器，不会限制任何人。

## 如果我们弄错了

您会收到一份说明，写明看到了什么、何时看到、违反了哪条规则。您可以在 {months} 个月内免费申诉，届时将由人工复核。
申诉成立后，对同样的证据一直有效。
"""
