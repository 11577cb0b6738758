/**
 * @file T. stddev and the student's test loss as the paper measured them: the points of its scatter plots, for nine
 * augmentations and ten pairs of networks. From "What Makes a 'Good' Data Augmentation in Knowledge Distillation" (H. Wang,
 * S. Lohit, M. Jones, Y. Fu, NeurIPS 2022), decoded from the plots' vector graphics; the correlations printed there follow
 * from these points to the last digit.
 */

/** One column of points: nine augmentations, in the order of `paperAugmentations`. */
export interface PaperColumn {
  /** Architecture of the teacher and of the student, and the dataset, by their names here. */
  teacher: string;
  student: string;
  data: string;
  /** Standard deviation of the teacher's mean probability. */
  tStddev: readonly number[];
  /** Mean cross entropy of the distilled student on the test set. */
  studentLoss: readonly number[];
}

export const paperColumns: readonly PaperColumn[] = [
  {
    teacher: 'wrn_40_2',
    student: 'wrn_16_2',
    data: 'cifar100',
    tStddev: [0.005473, 0.005471, 0.00541, 0.005255, 0.00511, 0.004988, 0.004719, 0.0044, 0.004154],
    studentLoss: [1.0976, 1.0774, 1.0837, 1.0564, 1.0305, 1.0486, 1.0275, 1.0054, 0.9746],
  },
  {
    teacher: 'resnet56',
    student: 'resnet20',
    data: 'cifar100',
    tStddev: [0.005248, 0.005232, 0.005121, 0.004983, 0.004904, 0.004719, 0.004443, 0.004039, 0.003788],
    studentLoss: [1.1783, 1.1668, 1.1763, 1.1687, 1.1478, 1.1621, 1.144, 1.1269, 1.0924],
  },
  {
    teacher: 'vgg13',
    student: 'vgg8',
    data: 'cifar100',
    tStddev: [0.005519, 0.005516, 0.005457, 0.005295, 0.005176, 0.005075, 0.004665, 0.0043, 0.004042],
    studentLoss: [1.1856, 1.1754, 1.1537, 1.1279, 1.1273, 1.1194, 1.0862, 1.0605, 0.9981],
  },
  {
    teacher: 'ResNet50',
    student: 'vgg8',
    data: 'cifar100',
    tStddev: [0.00553, 0.005532, 0.005494, 0.00537, 0.005248, 0.005083, 0.00487, 0.004656, 0.004397],
    studentLoss: [1.2418, 1.211, 1.1976, 1.1925, 1.1443, 1.1188, 1.1161, 1.0851, 1.0069],
  },
  {
    teacher: 'wrn_40_2',
    student: 'wrn_16_2',
    data: 'tiny-imagenet',
    tStddev: [0.003482, 0.003473, 0.003385, 0.003305, 0.002953, 0.002999, 0.002921, 0.002609, 0.002386],
    studentLoss: [1.7676, 1.7567, 1.7599, 1.7587, 1.7358, 1.7278, 1.7296, 1.6986, 1.6849],
  },
  {
    teacher: 'resnet56',
    student: 'resnet20',
    data: 'tiny-imagenet',
    tStddev: [0.002994, 0.002978, 0.002893, 0.002845, 0.00261, 0.002593, 0.002494, 0.002148, 0.001972],
    studentLoss: [1.9459, 1.9352, 1.9343, 1.9369, 1.9569, 1.9201, 1.9136, 1.8985, 1.8817],
  },
  {
    teacher: 'vgg13',
    student: 'vgg8',
    data: 'tiny-imagenet',
    tStddev: [0.003873, 0.003873, 0.003808, 0.003734, 0.003284, 0.003388, 0.003173, 0.002905, 0.002681],
    studentLoss: [1.8377, 1.8379, 1.8346, 1.7932, 1.731, 1.7757, 1.7259, 1.6556, 1.6237],
  },
  {
    teacher: 'ResNet50',
    student: 'vgg8',
    data: 'tiny-imagenet',
    tStddev: [0.003903, 0.003901, 0.00386, 0.003773, 0.003332, 0.003413, 0.003373, 0.003197, 0.002948],
    studentLoss: [1.9767, 1.9674, 1.9249, 1.9091, 1.775, 1.8281, 1.8225, 1.729, 1.6724],
  },
  {
    teacher: 'resnet34',
    student: 'resnet18',
    data: 'imagenet100',
    tStddev: [0.002545, 0.002539, 0.002457, 0.0025, 0.002472, 0.002371, 0.002367, 0.002224, 0.002165],
    studentLoss: [0.6713, 0.6609, 0.6679, 0.6646, 0.6465, 0.6619, 0.6568, 0.6524, 0.6364],
  },
  {
    teacher: 'resnet34',
    student: 'resnet18',
    data: 'imagenet',
    tStddev: [0.000702, 0.000699, 0.000673, 0.000683, 0.000641, 0.00064, 0.000619, 0.000578, 0.000578],
    studentLoss: [1.2103, 1.1977, 1.2147, 1.199, 1.199, 1.1875, 1.1809, 1.2049, 1.1955],
  },
];

/** The paper's column for a teacher on a dataset, if it has one. */
export function paperColumn(teacher: string, data: string): PaperColumn | undefined {
  return paperColumns.find((column) => column.teacher === teacher && column.data === data);
}
