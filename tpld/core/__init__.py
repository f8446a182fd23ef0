"""The method: TPLD's rules as pure functions, arrays in and arrays out.

Two-phase Pseudo Label Densification (Shin, Woo, Pan, Kweon; ECCV 2020). Each rule has one
function; its docstring names the section of METHOD.md or the paper's equation, and how sure the
reading is: [P] printed in the paper, [C] as the public CRST code behaves, [L] second-hand,
[O] open in every source, a default chosen here.

=====================================================  ==========================================
rule (METHOD section)                                  function
=====================================================  ==========================================
portion and source share of a round (3, 7)             schedule.portion_of_round,
                                                       schedule.source_share_of_round
polynomial decay of the learning rate (1)              schedule.polynomial_decay
target probabilities from stored logits (2)            mixture.log_probabilities, predict
class thresholds λ[k], ranks over all images (3)       thresholds.ConfidenceRanks, log_thresholds
mined (rare) classes (3)                               thresholds.mined_classes
normalised score r[k] = p[k] / λ[k] (notation)         selection.normalised_excess
confident pseudo label (4)                             selection.select, select_from_logs
two competing classes of a pixel (5.1)                 selection.top_two, top_two_from_logs,
                                                       mixture.candidates_from_logits
voting, phase 1 (5.2 to 5.4)                           voting.vote, voting_torch.vote
why a pixel has its label (4, 5, 9)                    reason.explain_pixel
bootstrapped loss, phase 1 (6)                         losses.bootstrapped_cross_entropy
MRKLD regulariser (6)                                  losses.mrkld
loss of a mixed batch (6)                              losses.self_training_loss,
                                                       fused_losses.fused_loss
rare-class patch mining (7)                            mining.crop_origin
image confidence conf_t (8)                            confidence.image_confidence
easy and hard images (8)                               split.split_by_confidence
full pseudo label of easy images, phase 2 (9)          full_labels.full_label
loss on easy images, phase 2 (9)                       losses.easy_loss
weighted self-information map (9)                      self_information.self_information
adversarial losses, phase 2 (9)                        self_information.discriminator_loss,
                                                       self_information.adversarial_loss
=====================================================  ==========================================

**The excess.** Every rule compares the normalised score r[k] = p[k] / λ[k] with the bar 1. An
overconfident network gives p and λ within 1e-8 of 1, where float32 numbers lie 6e-8 apart: such
scores would tie, and a tie at the bar selects far more pixels than the wanted portion. What these
functions pass around is therefore the *excess* over the bar,

    e[k] = r[k] - 1 = expm1(log p[k] - log λ[k])      (float32, range -1 to K - 1)

which float32 holds to 7 digits however close to the bar it is:

- r >= 1 is e >= 0, and ranking by r is ranking by e;
- a mean of r is 1 + the same mean of e, so voting's combination is
  (1-α) r + α v >= 1   <=>   (1-α) e + α (v - 1) >= 0;
- log p comes from the stores as float32, computed by log1p of the other classes' sum so that it
  does not saturate at 0; thresholds are kept as log λ. Subtracting neighbouring float32 is exact.

At the other end, r under 6e-8, excesses tie at -1. Where the order down there matters (who is the
second candidate of an overconfident pixel?) the functions named ``*_from_logs`` rank by
log r = log p - log λ instead, which is precise at both ends and needs no (K, H, W) temporary.

Importing this package, or any module whose name has no ``loss``, ``torch`` or ``self_information``
in it, imports no torch.
"""
