"""ChatGLM-6B before 2023-04-06, whose ids no later weights or tokenizers have: 20,000 ids of images stood in front."""

from __future__ import annotations

OLD_VOCABULARY = 150528
OLD_BOS = 150004
OLD_IDS = "every id is 20000 higher than in all later weights and tokenizers"
NEW_REVISION = "the hub's revision 8b7d335 (2023-09-04), or any since 2023-04-06"
