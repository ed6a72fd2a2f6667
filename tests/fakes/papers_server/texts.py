"""The sections of the library's papers, written by us: short, with the numbers that a recipe needs."""

from __future__ import annotations

Sections = tuple[tuple[str, str, str], ...]

TEXTS: dict[str, Sections] = {
    "2106.09685": (
        ("1", "Introduction", "Full fine-tuning stores one copy of all weights per task. We train a low-rank update."),
        ("2", "Method", "The update of a weight W is B A with rank r, scaled by alpha over r. B begins at zero."),
        (
            "2.1",
            "Which weights",
            "Adapting the query and value projections together is better than one at higher rank.",
        ),
        (
            "3",
            "Experiments",
            "On the language tasks tried, rank 4 to 8 is enough, and quality is on par with full "
            "fine-tuning at 0.01 % to 1 % of the trained parameters.",
        ),
        ("4", "Limitations", "The tasks are close to what the base model knows. Ranks for new skills are not studied."),
    ),
    "2305.14314": (
        ("1", "Introduction", "Fine-tuning large models needs memory that few have."),
        ("2", "Method", "Frozen weights in 4-bit NormalFloat, double quantization, paged optimizer states."),
        (
            "3",
            "Which layers take adapters",
            "Adapters on all linear layers are needed to match full fine-tuning; the "
            "query and value projections alone do not. The rank r matters little once all layers have one.",
        ),
        (
            "4",
            "Recipe",
            "r = 64, alpha = 16, dropout 0.1 up to 13B and 0.05 above. Learning rate 2e-4 up to 13B and "
            "1e-4 above, constant schedule, batch 16, gradient clipping at 0.3, AdamW with beta2 0.999.",
        ),
        ("5", "Data quality", "9,000 chosen dialogues beat 450,000 mixed instructions on chat quality."),
    ),
    "2402.09353": (
        ("1", "Introduction", "LoRA and full fine-tuning change magnitude and direction in different patterns."),
        ("2", "Method", "A weight is a magnitude vector times a normalized direction; LoRA trains the direction."),
        (
            "3",
            "Results",
            "On eight reasoning sets a 7B model gains about 3.7 points over LoRA at rank 32, and about "
            "half the rank still beats LoRA. Each training step takes longer.",
        ),
    ),
    "2405.09673": (
        ("1", "Introduction", "When does LoRA equal full fine-tuning on a new domain?"),
        (
            "2",
            "Setup",
            "A 7B base model; instruction tuning on about 100K code or mathematics examples, and continued "
            "pretraining on up to 20B tokens.",
        ),
        (
            "3",
            "Results",
            "LoRA at rank 16 and 64 learns less than full fine-tuning on code. At rank 256 it comes close "
            "on instruction tuning. LoRA forgets less of the base model's skills.",
        ),
        (
            "4",
            "Practical advice",
            "Use LoRA for instruction tuning rather than continued pretraining. Target all "
            "modules, rank 256 if memory allows else 16, alpha = 2 r, at least four epochs, and search the learning "
            "rate between 1e-5 and 5e-4: LoRA wants about ten times that of full fine-tuning.",
        ),
    ),
    "2109.01652": (
        ("1", "Introduction", "Can a model follow instructions for tasks it has not seen?"),
        ("2", "Method", "62 data sets are phrased with ten templates each; the model of 137B is tuned on the mixture."),
        ("3", "Scale", "At 8B and below, instruction tuning hurts unseen tasks: the capacity goes into the seen ones."),
    ),
    "2203.02155": (
        ("1", "Introduction", "Larger models do not follow a user's intent better by themselves."),
        (
            "2",
            "Supervised fine-tuning",
            "About 13K prompts with demonstrations. 16 epochs, cosine decay, residual "
            "dropout 0.2. The loss on held-out data rises after one epoch, and people's preference still improves.",
        ),
        ("3", "Results", "People prefer the tuned 1.3B model to the base model of 175B on the prompt distribution."),
    ),
    "2212.10560": (
        ("1", "Introduction", "Human instruction data is small and not diverse."),
        (
            "2",
            "Pipeline",
            "Generate an instruction, decide if it is a classification, generate instances, filter by "
            "overlap (ROUGE-L below 0.7 with what is kept).",
        ),
        (
            "3",
            "Results",
            "Instruction tuning on 52K generated examples gains 33 points over the base model on unseen "
            "tasks; of 200 examples checked, 46 % had some fault.",
        ),
    ),
    "2304.12244": (
        ("1", "Introduction", "Instructions that people write are mostly easy."),
        ("2", "Evolving instructions", "Five ways to deepen and one to widen; four rounds over 52K seeds give 250K."),
        (
            "3",
            "Results",
            "On hard prompts the 7B model tuned on 70K of them beats one tuned on dialogues of equal size.",
        ),
    ),
    "2305.11206": (
        ("1", "Introduction", "Knowledge comes from pretraining; alignment mostly teaches the style of an answer."),
        ("2", "Data", "1,000 examples: 750 chosen from forums and 250 written, with one style of answer."),
        (
            "3",
            "Training",
            "SFT for 15 epochs, AdamW (0.9, 0.95), weight decay 0.1, learning rate 1e-5 down to 1e-6 "
            "without warm-up, batch 32 (64 for smaller models), texts cut at 2048 tokens, residual dropout 0.0 to 0.3.",
        ),
        (
            "4",
            "Ablations",
            "At 7B: 2,000 filtered examples score 3.83 of 6, unfiltered ones 3.33. Doubling the data "
            "without more diversity gives no gain. Perplexity does not tell answer quality.",
        ),
    ),
    "2307.08701": (
        ("1", "Introduction", "Much of the 52K Alpaca data is wrong or empty."),
        ("2", "Filter", "A strong model grades each example from 0 to 5; those with 4.5 and more are kept: 9K."),
        (
            "3",
            "Results",
            "7B tuned on 9K beats 7B tuned on 52K on four test sets and trains 5.7 times faster. A random "
            "9K is worse than both.",
        ),
    ),
    "2310.05914": (
        ("1", "Introduction", "Instruction data is small, so that models overfit its wording."),
        (
            "2",
            "Method",
            "During training add uniform noise to the embeddings, scaled by alpha over the square root of "
            "length times width. Alpha is 5, 10 or 15.",
        ),
        (
            "3",
            "Results",
            "A 7B base model tuned on Alpaca goes from 29.8 % to 64.7 % on AlpacaEval. Gains on three other "
            "sets are about 10 points. Scores on knowledge tests stay within a point.",
        ),
        ("4", "Limitations", "The judge is a model and likes longer answers; the tuned models write longer ones."),
    ),
    "2310.16944": (
        ("1", "Introduction", "Distilled SFT makes small models fluent but not aligned with intent."),
        (
            "2",
            "Distilled SFT",
            "200K filtered dialogues, 1 to 3 epochs, cosine schedule, peak learning rate 2e-5, 10 % "
            "warm-up, packing at 2048 tokens, batch 512.",
        ),
        (
            "3",
            "Preference optimisation",
            "DPO from the SFT model, beta 0.1, learning rate 5e-7, batch 32, up to 3 epochs.",
        ),
        (
            "4",
            "Ablations",
            "Without SFT the preference step fails: 4.76 on MT-Bench. SFT alone 6.64, SFT and DPO 7.00.",
        ),
    ),
    "2411.15124": (
        ("1", "Introduction", "Open post-training lacks complete recipes."),
        ("2", "Data", "939K prompts from public sets and personas, decontaminated against the evaluation."),
        (
            "3",
            "SFT recipe",
            "8B: learning rate 5e-6, linear schedule, 3 % warm-up, 2 epochs, effective batch 128, "
            "sequences of 4096, the loss summed over tokens rather than averaged per batch.",
        ),
        (
            "3.1",
            "Chosen by ablation",
            "Summing the loss instead of averaging gained about 0.6 points over all tests. "
            "Several seeds and merged checkpoints changed the average by less than 0.5.",
        ),
        ("4", "Limitations", "Chat templates change scores; test each before comparing recipes."),
    ),
    "2502.02737": (
        ("1", "Introduction", "Small models depend on data more than large ones do."),
        (
            "2",
            "Instruction data",
            "A mixture of 1.1M examples: generated dialogues, rewriting, summaries, mathematics "
            "and system prompts. Public chat sets made for larger models are too hard for a model of 1.7B.",
        ),
        (
            "3",
            "SFT",
            "1.7B: full fine-tuning for 2 epochs, learning rate 3e-4, global batch 128, sequences of 8192. "
            "360M and 135M: the complex function calling parts are left out and the learning rate is 1e-3.",
        ),
        ("4", "Preference step", "DPO on graded answers, 2 epochs, learning rate 1e-6, beta 0.5, batch 128."),
        (
            "5",
            "Results",
            "IFEval 56.7 and MT-Bench 6.13 for 1.7B instruct. The mixture beats a 200K dialogue set by "
            "several points on IFEval at equal steps.",
        ),
    ),
}
